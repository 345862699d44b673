import type { OpenedSource } from '../source/http-source.ts';
import type { Hop } from '../source/redirect.ts';
import type { SourceClient } from '../source/source-client.ts';
import type { Assignment } from './segments.ts';
import type { Transfer } from './transfer.ts';

/** What the connections of one source share, and how each of them works. */

export interface RangeLanesOptions {
  readonly transfer: Transfer;
  readonly client: Pick<SourceClient, 'connect'>;
  readonly source: number;
  readonly totalBytes: number;
  /** `undefined`: a digest decides in the end what the bytes are worth. */
  readonly requiredValidator: string | undefined;
  readonly hold: ((bytes: number) => Promise<void> | undefined) | undefined;
  /** Opens the source's URL anew, for a range: redirects are followed and tokens renewed. */
  readonly open: (range: { first: number; last: number }, signal: AbortSignal) => Promise<OpenedSource>;
  readonly onBytes: (count: number) => void;
  readonly mostConnections: number;
  /** What is learned of the server, for the next time too. */
  readonly manners: ServerManners;
  readonly signal: AbortSignal;
}

/** The answer that a source was found with. */
export interface FirstAnswer {
  /** Of its first byte in the file. */
  readonly position: number;
  /** The segment that was taken for it; `undefined`: those it has bytes of are taken as they come. */
  readonly begun: Assignment | undefined;
  readonly chunks: AsyncIterable<Buffer>;
  readonly lengthBytes: number;
}

/** How a server takes being asked. */
export interface ServerManners {
  /** False when it closed connections, or was busy, in front of parts that were asked for ahead. */
  answersAhead: boolean;
}

export interface Counter {
  bytes: number;
}

export interface LaneState {
  target: Hop;
  /** The URL is being opened anew, for everybody who found that its target has expired. */
  renewing: Promise<void> | undefined;
  connections: number;
  delivered: number;
}

export interface LaneOptions extends RangeLanesOptions {
  readonly state: LaneState;
  readonly counter: Counter;
  /** Aborted when the connection is not worth having: it ends after what it has begun. */
  readonly retired: AbortSignal | undefined;
}

export interface LaneRate {
  add(bytes: number): void;
  perSecond(): number | undefined;
}

/** The rate of one connection while it reads: over its life, with what is long ago counting less and less. */
export function makeLaneRate(): LaneRate {
  let bytes = 0;
  let since = performance.now();
  return {
    add(count) {
      bytes += count;
    },
    perSecond() {
      const now = performance.now();
      const elapsed = now - since;
      const rate = bytes > 0 && elapsed > 0 ? (bytes / elapsed) * 1000 : undefined;
      if (elapsed > 4000) {
        bytes /= 2;
        since = now - elapsed / 2;
      }
      return rate;
    },
  };
}
