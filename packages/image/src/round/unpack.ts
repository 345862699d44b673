import { decodeLayers } from '../decode/decoder.ts';
import type { ProgramCompression } from '../decode/end-check.ts';
import { unpackThroughProgram } from '../decode/program-decoder.ts';
import { unpackProgramsFor } from '../decode/programs.ts';
import { FetchFault } from '../errors.ts';
import { makeSlabPool } from '../memory/slab-pool.ts';
import { type Feeder, makeFeeder } from '../transfer/feeder.ts';
import { makeImageWriter } from '../transfer/image-writer.ts';
import type { Compression, OpenImage } from '../types.ts';
import { ArchiveInside, type RoundDeps } from './deps.ts';
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
  { request, options, notes }: RoundDeps,
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
    onArchive: notes.archiveInside ? undefined : () => new ArchiveInside(),
    signal: ended,
  });
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const decode = { signal: ended };
  const run = async () => {
    if (!notes.archiveInside && isProgramCompression(compression)) {
      try {
        const programs = unpackProgramsFor(compression, false);
        const options = { ...decode, writer };
        return await writer.finish(await unpackThroughProgram(compression, programs, feeder.chunks, options));
      } catch (error) {
        // nothing has been read in this case
        if (!(error instanceof FetchFault && error.code === 'DECODER_MISSING')) throw error;
      }
    }
    for await (const chunk of decodeLayers(compression, feeder.chunks, decode)) await writer.write(chunk);
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
      // a decoder that never began has not closed it
      feeder.close();
      await running.catch(() => {});
      await writer.stop();
      pool[Symbol.dispose]();
    },
  };
}

function isProgramCompression(compression: Compression): compression is ProgramCompression {
  return compression !== 'none' && compression !== 'zip' && compression !== 'tar';
}
