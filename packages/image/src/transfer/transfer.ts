import type { Digest, DigestAlgorithm } from '@millrace/core';
import { FetchFault } from '../errors.ts';
import type { Slab, SlabPool } from '../memory/slab-pool.ts';
import type { DigestEngine, DigestLane } from '../verify/digest-engine.ts';
import type { PieceCheck } from '../verify/piece-check.ts';
import { type Change, makeChange } from './change.ts';
import { type Assignment, makeSegments, type Segments, type Taker } from './segments.ts';

/** Where segments are put. An open image is one. */
export interface SegmentStore {
  readonly kept: readonly number[];
  write(position: number, bytes: Buffer, options: { readonly overwrite: boolean }): Promise<void>;
  note(segment: number): Promise<void>;
  /** Absent where what is written is not what came: then segments have to wait for their turn in memory. */
  readInto?(position: number, target: Buffer): Promise<void>;
}

/** A hash of all bytes and, for signatures, a few more. */
export interface WholeHash {
  readonly algorithm: DigestAlgorithm;
  readonly suffix?: Uint8Array;
}

export interface TransferOptions {
  readonly pool: SlabPool;
  readonly digests: DigestEngine;
  readonly segmentBytes: number;
  readonly sizeBytes: number | undefined;
  /** `undefined`: they are not kept. */
  readonly store: SegmentStore | undefined;
  /** Checks segments one by one as they arrive. */
  readonly pieces: PieceCheck | undefined;
  /** What the whole is hashed with: nothing where the pieces say enough. */
  readonly hashes: readonly WholeHash[];
  /** The bytes that the image was judged by: what arrives has to begin with them. */
  readonly head: Buffer;
  /** Takes the bytes in their order, beside the digest; resolves when it has no more use for the slab's bytes. */
  readonly feed: ((bytes: Buffer) => Promise<void>) | undefined;
  readonly signal: AbortSignal;
}

/**
 * The bytes on their way: segments arrive in any order, from any source; they are checked, stored, and pass the digest
 * and the decoder in their order. Memory is the slabs of the pool, whatever the size of the image: a segment whose turn
 * is far off is dropped from memory once it is stored and read back when it comes.
 */
export interface Transfer {
  readonly segments: Segments;
  readonly pool: SlabPool;
  readonly changed: Change;
  /** Bytes that an interrupted fetch had left. */
  readonly keptBytes: number;
  /** Resolves when what an interrupted fetch had left is checked, as far as pieces tell: some of it may be missing again. */
  readonly checked: Promise<void>;
  take(taker: Omit<Taker, 'limit'>): Assignment | undefined;
  takeExactly(segment: number, taker: Omit<Taker, 'limit'>): Assignment | undefined;
  /** @throws FetchFault `PIECE_MISMATCH`, and the segment is missing again */
  deliver(assignment: Assignment): Promise<void>;
  /** Begins to keep segments, from now on. */
  storeIn(store: SegmentStore): void;
  /**
   * Resolves when every byte has arrived, is stored and has passed digest and decoder.
   * @returns the digest of each hash that was wanted
   */
  finish(): Promise<readonly Digest[]>;
  /** Ends what goes on; waits for writes that are under way. */
  stop(): Promise<void>;
}

/** So many slabs are left to the sources; what is stored and has to wait beyond that is read back later. */
const slabsForArrivals = 4;
/** In a pool's slabs these are not promised to segments: two may be fetched twice, to get past a slow source. */
const slabsForStealing = 2;

export function makeTransfer(options: TransferOptions): Transfer {
  const { pool, digests, pieces, hashes, feed, segmentBytes, signal } = options;
  let { store } = options;
  const kept = store?.kept ?? [];
  const segments = makeSegments({ segmentBytes, sizeBytes: options.sizeBytes, kept });
  const keptBytes = segments.doneBytes;
  const changed = makeChange();
  const inMemory = new Map<number, Slab>();
  const writes = new Set<Promise<void>>();
  const local = new AbortController();
  const ended = AbortSignal.any([signal, local.signal]);
  const inOrder = feed !== undefined || hashes.length > 0;
  let turn = 0;
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown) => {
    failure ??= { error };
    local.abort(error);
    changed.tell();
  };

  const write = async (segment: number, slab: Slab, into: SegmentStore) => {
    try {
      const bytes = slab.bytes.subarray(0, segments.lengthOf(segment));
      await into.write(segment * segmentBytes, bytes, { overwrite: segments.isDirty(segment) });
      segments.stored(segment);
      if (
        into.readInto &&
        inOrder &&
        segment > turn &&
        pool.free < slabsForArrivals &&
        inMemory.delete(segment)
      ) {
        slab.release();
      }
      changed.tell();
      await into.note(segment);
    } catch (error) {
      fail(error);
    } finally {
      slab.release();
    }
  };

  const track = (writing: Promise<void>) => {
    writes.add(writing);
    writing.then(
      () => writes.delete(writing),
      () => writes.delete(writing),
    );
  };

  const deliver = async (assignment: Assignment) => {
    const { segment, slab } = assignment;
    if (!slab) throw new Error('a segment was delivered without its bytes');
    const length = segments.lengthOf(segment);
    if (pieces && !(await pieces.holds(segment, slab, length))) {
      segments.giveBack(assignment, true);
      changed.tell();
      // what two sources have made of it is fetched anew, and whole
      if (assignment.mixed) return;
      throw new FetchFault('PIECE_MISMATCH', `the bytes from ${segment * segmentBytes} on`);
    }
    if (segment === 0 && !beginsWith(slab.bytes.subarray(0, length), options.head)) {
      segments.giveBack(assignment, true);
      fail(new FetchFault('SOURCES_DIFFER', ''));
      return;
    }
    if (!segments.arrived(assignment)) {
      slab.release();
      return;
    }
    if (inOrder) {
      slab.retain();
      inMemory.set(segment, slab);
    }
    if (store) track(write(segment, slab, store));
    else slab.release();
    changed.tell();
  };

  /** The slab of the segment whose turn it is, from memory or from the store; to be released. */
  const slabInTurn = async (segment: number): Promise<Slab | undefined> => {
    while (true) {
      if (failure) throw failure.error;
      if (segments.count !== undefined && segment >= segments.count) return undefined;
      const slab = inMemory.get(segment);
      if (slab) {
        inMemory.delete(segment);
        return slab;
      }
      if (store?.readInto && segments.isStored(segment)) return await readBack(store, segment);
      await changed.next(ended);
    }
  };

  const readBack = async (from: SegmentStore, segment: number): Promise<Slab> => {
    const slab = await pool.acquire(ended);
    try {
      await from.readInto?.(segment * segmentBytes, slab.bytes.subarray(0, segments.lengthOf(segment)));
      return slab;
    } catch (error) {
      slab.release();
      throw error;
    }
  };

  const passInOrder = async (): Promise<readonly Digest[]> => {
    const lanes = hashes.map(({ algorithm }) => digests.lane(algorithm));
    const hashing = new Set<Promise<void>>();
    const hash = (lane: DigestLane, slab: Slab, length: number) => {
      slab.retain();
      const update = lane
        .update(slab, length)
        .catch(fail)
        .finally(() => {
          slab.release();
          hashing.delete(update);
        });
      hashing.add(update);
    };
    try {
      for (; ; turn++) {
        const slab = await slabInTurn(turn);
        if (!slab) break;
        const length = segments.lengthOf(turn);
        for (const lane of lanes) hash(lane, slab, length);
        try {
          await feed?.(slab.bytes.subarray(0, length));
        } finally {
          slab.release();
        }
        changed.tell();
      }
    } finally {
      await Promise.all(hashing);
    }
    if (failure) throw failure.error;
    return Promise.all(
      hashes.map(async ({ algorithm, suffix }, index) => ({
        algorithm,
        hex: await lanes[index]!.finish(suffix),
      })),
    );
  };

  /** What an interrupted fetch left is worth what it is proved to be. */
  const checkKept = async (check: PieceCheck, from: SegmentStore) => {
    for (const segment of kept) {
      if (!segments.isStored(segment)) continue;
      const slab = await readBack(from, segment);
      try {
        if (await check.holds(segment, slab, segments.lengthOf(segment))) continue;
        segments.reject(segment);
        changed.tell();
      } finally {
        slab.release();
      }
    }
  };

  const until = async (condition: () => boolean) => {
    while (!condition()) {
      if (failure) throw failure.error;
      await changed.next(ended);
    }
  };

  /** Segments that could be neither put aside nor passed on would fill the memory that others wait for. */
  const limit = () =>
    store?.readInto ? Number.POSITIVE_INFINITY : turn + Math.max(1, pool.count - slabsForStealing);

  const passing = inOrder ? passInOrder() : Promise.resolve([]);
  passing.catch(fail);
  const checking = pieces && store && kept.length > 0 ? checkKept(pieces, store) : Promise.resolve();
  checking.catch(fail);

  return {
    segments,
    pool,
    changed,
    keptBytes,
    checked: checking,
    take: (taker) => segments.take({ ...taker, limit: limit() }),
    takeExactly: (segment, taker) => segments.takeExactly(segment, { ...taker, limit: limit() }),
    deliver,
    storeIn(image) {
      store = image;
    },
    async finish() {
      try {
        await checking;
        const computed = await passing;
        await until(() => segments.complete);
        await Promise.all(writes);
        if (failure) throw failure.error;
        return computed;
      } catch (error) {
        throw failure ? failure.error : error;
      }
    },
    async stop() {
      local.abort(new Error('the transfer was stopped'));
      changed.tell();
      await Promise.allSettled([passing, checking, ...writes]);
      for (const slab of inMemory.values()) slab.release();
      inMemory.clear();
      segments.clear();
    },
  };
}

function beginsWith(bytes: Buffer, head: Buffer): boolean {
  const length = Math.min(bytes.length, head.length);
  return bytes.subarray(0, length).equals(head.subarray(0, length));
}
