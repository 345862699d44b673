import { archiveStageFor } from '../decode/decoder.ts';
import { FetchFault } from '../errors.ts';
import { headBytes, type InspectionRules, inspectHead } from '../inspect/inspect-image.ts';
import type { Slab, SlabPool } from '../memory/slab-pool.ts';
import type { OpenImage } from '../types.ts';

/** Writes what a decoder puts out: one byte after the other, in slabs. */
export interface ImageWriter {
  /** What its slabs are parts of. */
  readonly memory: SharedArrayBuffer;
  /** Takes the bytes, which may be used again when it resolves. Rejects with what an earlier write failed with. */
  write(chunk: Buffer): Promise<void>;
  /** Judges the beginning of the image while it is gathered: 64 KiB of it. @throws FetchFault when it is refused */
  look(slab: Slab, length: number): void;
  /** A slab to be filled by whoever can do so without a copy, to be handed back full, or the last one, to `writeSlab`. */
  slab(): Promise<Slab>;
  writeSlab(slab: Slab, length: number): Promise<void>;
  /**
   * Resolves with the number of bytes of the image when all of them are written.
   * @param imageBytes when the last of the bytes written are not the image's
   */
  finish(imageBytes?: number): Promise<number>;
  /** Waits for writes that are under way, and gives the memory back. */
  stop(): Promise<void>;
}

export interface ImageWriterOptions {
  readonly image: OpenImage;
  readonly pool: SlabPool;
  readonly rules: InspectionRules;
  readonly mostBytes: number;
  /** What to fail with when the bytes are an archive; `undefined`: as with any that is not an image. */
  readonly onArchive?: (() => Error) | undefined;
  readonly signal: AbortSignal;
}

/** Nothing is written before the first 64 KiB were found harmless, and nothing beyond the limits. */
export function makeImageWriter(options: ImageWriterOptions): ImageWriter {
  const { image, pool, rules, mostBytes, signal } = options;
  const writes = new Set<Promise<void>>();
  let current: Slab | undefined;
  let filled = 0;
  let position = 0;
  let limitBytes = mostBytes;
  let sizeIsVirtualSize = false;
  let inspected = false;
  let failure: { readonly error: unknown } | undefined;

  const check = (slab: Slab, length: number, complete: boolean) => {
    if (!inspected && (complete || length >= headBytes)) {
      if (options.onArchive && archiveStageFor(slab.bytes.subarray(0, length))) throw options.onArchive();
      const findings = inspectHead(slab.bytes.subarray(0, Math.min(length, headBytes)), true, rules);
      inspected = true;
      sizeIsVirtualSize = findings?.virtualSizeBytes === undefined;
      if (sizeIsVirtualSize) limitBytes = Math.min(mostBytes, rules.maxVirtualSizeBytes);
    }
    if (position + length <= limitBytes) return;
    if (sizeIsVirtualSize && limitBytes === rules.maxVirtualSizeBytes) {
      throw new FetchFault('IMAGE_TOO_LARGE', `more than ${rules.maxVirtualSizeBytes} bytes`);
    }
    throw new FetchFault('UNPACKED_TOO_LARGE', `${mostBytes} bytes`);
  };

  const start = (slab: Slab, length: number) => {
    const at = position;
    position += length;
    const writing = image
      .write(at, slab.bytes.subarray(0, length))
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => {
        slab.release();
        writes.delete(writing);
      });
    writes.add(writing);
  };

  const writeSlab = async (slab: Slab, length: number) => {
    try {
      if (failure) throw failure.error;
      // one that is not full is the last: an image may be smaller than what is looked at otherwise
      check(slab, length, length < pool.slabBytes);
    } catch (error) {
      slab.release();
      throw error;
    }
    start(slab, length);
  };

  return {
    memory: pool.memory,
    look: (slab, length) => check(slab, length, false),
    slab: () => pool.acquire(signal),
    writeSlab,
    async write(chunk) {
      for (let at = 0; at < chunk.length; ) {
        if (failure) throw failure.error;
        current ??= await pool.acquire(signal);
        const count = chunk.copy(current.bytes, filled, at);
        at += count;
        filled += count;
        check(current, filled, false);
        if (filled < pool.slabBytes) continue;
        start(current, filled);
        current = undefined;
        filled = 0;
      }
    },
    async finish(imageBytes = position + filled) {
      if (!inspected) {
        current ??= await pool.acquire(signal);
        check(current, filled, true);
      }
      if (current && filled > 0) {
        start(current, filled);
        current = undefined;
      }
      await Promise.all(writes);
      if (failure) throw failure.error;
      image.setSize(imageBytes);
      return imageBytes;
    },
    async stop() {
      await Promise.allSettled(writes);
      current?.release();
      current = undefined;
    },
  };
}
