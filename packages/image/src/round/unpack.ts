import { decoders } from '../decode/decoder.ts';
import { makeSlabPool } from '../memory/slab-pool.ts';
import { type Feeder, makeFeeder } from '../transfer/feeder.ts';
import { makeImageWriter } from '../transfer/image-writer.ts';
import type { Compression, OpenImage } from '../types.ts';
import type { RoundDeps } from './deps.ts';
import { unpackedSlabs } from './layout.ts';

/** A decoder at work: what is fed to it comes out in the image. */
export interface Unpacking {
  readonly feed: Feeder['feed'];
  /** After the last byte. Resolves with how much was written when all of it is. */
  finish(): Promise<number>;
  /** Rejects when the archive cannot be unpacked, or what is in it is refused; otherwise never settles. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

export function startUnpacking(
  { request, options }: RoundDeps,
  compression: Exclude<Compression, 'none'>,
  { image, signal }: { readonly image: OpenImage; readonly signal: AbortSignal },
): Unpacking {
  const { format, limits } = request;
  const local = new AbortController();
  const ended = AbortSignal.any([signal, local.signal]);
  // of its own: bytes that wait to be unpacked must never take the room of those that have been
  const pool = makeSlabPool({ ...unpackedSlabs, memories: options.memories });
  const feeder = makeFeeder();
  const writer = makeImageWriter({
    image,
    pool,
    rules: { format, maxVirtualSizeBytes: limits.maxVirtualSizeBytes },
    mostBytes: limits.maxTransferBytes,
    signal: ended,
  });
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const run = async () => {
    for await (const chunk of decoders[compression](feeder.chunks, { signal: ended })) {
      await writer.write(chunk);
    }
    return writer.finish();
  };
  const running = run();
  running.catch(failed.reject);
  return {
    feed: feeder.feed,
    async finish() {
      feeder.end();
      return await running;
    },
    failed: failed.promise,
    async stop() {
      local.abort(new Error('unpacking was stopped'));
      feeder.end();
      await running.catch(() => {});
      await writer.stop();
      pool[Symbol.dispose]();
    },
  };
}
