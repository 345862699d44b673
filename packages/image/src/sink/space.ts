import { FetchFault } from '../errors.ts';
import { spaceOf } from './storage-faults.ts';

/**
 * Space that transfers of this process are going to need and have not written yet, per directory, so that two images
 * that fit alone and not together do not both begin.
 */
export interface SpaceLedger {
  /** Takes note of a need until the reservation is disposed of. */
  reserve(directory: string, bytes: number): SpaceReservation;
  /** What others than this reservation still need. */
  outstanding(directory: string, except?: SpaceReservation): number;
}

export interface SpaceReservation extends Disposable {
  /** So much of it has been written by now. */
  written(bytes: number): void;
}

interface Entry extends SpaceReservation {
  left: number;
}

export function makeSpaceLedger(): SpaceLedger {
  const places = new Map<string, Set<Entry>>();
  return {
    reserve(directory, bytes) {
      const entries = places.get(directory) ?? new Set<Entry>();
      places.set(directory, entries);
      const entry: Entry = {
        left: bytes,
        written(count) {
          entry.left = Math.max(0, bytes - count);
        },
        [Symbol.dispose]: () => {
          entries.delete(entry);
        },
      };
      entries.add(entry);
      return entry;
    },
    outstanding(directory, except) {
      let sum = 0;
      for (const entry of places.get(directory) ?? []) if (entry !== except) sum += entry.left;
      return sum;
    },
  };
}

export interface SpaceDemand {
  readonly directory: string;
  readonly neededBytes: number;
  readonly writtenBytes: number;
  /** Bytes that are kept for others, of the capacity. */
  readonly reserve: ((capacityBytes: number) => number) | undefined;
  /** Bytes that other transfers have been promised. */
  readonly promisedBytes: number;
}

/** @throws FetchFault `POOL_FULL` with figures: better now than after hours, or with others out of space. */
export async function requireSpace(demand: SpaceDemand): Promise<void> {
  requireSpaceOf(await spaceOf(demand.directory), demand);
}

/** The same where somebody else than the file system tells the space; `undefined`: nobody does. */
export function requireSpaceOf(
  space: { readonly capacityBytes: number; readonly freeBytes: number } | undefined,
  demand: SpaceDemand,
): void {
  const { directory, neededBytes, writtenBytes, promisedBytes } = demand;
  if (space === undefined) return;
  const reserved = Math.ceil(demand.reserve?.(space.capacityBytes) ?? 0);
  if (neededBytes <= space.freeBytes - reserved - promisedBytes) return;
  const kept = reserved > 0 ? `, of which ${reserved} are kept for others` : '';
  const promised = promisedBytes > 0 ? `, of which ${promisedBytes} are promised to other transfers` : '';
  const asked =
    writtenBytes > 0 ? `after ${writtenBytes} bytes of the image` : `the image needs ${neededBytes} bytes`;
  throw new FetchFault('POOL_FULL', `${directory}: ${asked}, ${space.freeBytes} are free${kept}${promised}`);
}
