import {
  constants,
  createGunzip,
  createZstdDecompress,
  type Gunzip,
  type InflateRaw,
  type ZstdDecompress,
} from 'node:zlib';
import { FetchFault } from '../errors.ts';
import type { Compression } from '../types.ts';
import { archiveBroken, type DecodeOptions } from './stage.ts';

const outputChunkBytes = 256 * 1024;

type Unpacker = Gunzip | InflateRaw | ZstdDecompress;
/** The input as far as it has not been read: only its next chunk is ever asked for here. */
type Chunks = Pick<AsyncIterator<Buffer>, 'next'>;

/** `partial`: give out what there is when the input ends, instead of calling it truncated. */
const unpackers = {
  gzip: (partial) =>
    createGunzip({
      chunkSize: outputChunkBytes,
      ...(partial ? { finishFlush: constants.Z_SYNC_FLUSH } : {}),
    }),
  zstd: (partial) =>
    createZstdDecompress({
      chunkSize: outputChunkBytes,
      ...(partial ? { finishFlush: constants.ZSTD_e_flush } : {}),
    }),
} as const satisfies Record<string, (partial: boolean) => Unpacker>;

/**
 * Unpacks gzip and zstd with node:zlib, frame after frame: an unpacker that meets the end of a zstd frame inside a chunk
 * silently ignores the rest of it, and files of several frames are common (pzstd, seekable zstd). How much it has
 * consumed tells where the next frame begins.
 * @throws FetchFault `ARCHIVE_BROKEN` for corrupt, truncated and trailing bytes; whatever the input throws.
 */
export async function* decodeFrames(
  compression: keyof typeof unpackers,
  input: AsyncIterable<Buffer>,
  options: DecodeOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const chunks = input[Symbol.asyncIterator]();
  let carried: Buffer | undefined;
  try {
    do {
      carried = yield* unpackFrame(
        compression,
        unpackers[compression](options.partial ?? false),
        chunks,
        carried,
      );
      if (carried?.[0] === 0 && compression === 'gzip') {
        await expectZeros(compression, carried, chunks);
        return;
      }
    } while (carried !== undefined);
  } finally {
    // not waited for: it only ends when a read that is under way does, and whoever ends this stage aborts that one
    chunks.return?.().then(
      () => {},
      () => {},
    );
  }
}

/**
 * Yields what one frame holds and returns what is left of its last chunk, `undefined` when nothing is. The unpacker is
 * used up by it.
 * @throws FetchFault `ARCHIVE_BROKEN`; whatever `chunks` throws
 */
export async function* unpackFrame(
  compression: Compression,
  unpacker: Unpacker,
  chunks: Chunks,
  carried?: Buffer,
): AsyncGenerator<Buffer, Buffer | undefined, undefined> {
  const feeding = feedOneFrame(unpacker, chunks, carried);
  // looked at below, after the output; until then a rejection must not count as unhandled
  feeding.catch(() => {});
  try {
    for await (const chunk of unpacker as AsyncIterable<Buffer>) yield chunk;
    return await feeding;
  } catch (error) {
    throw blame(error, compression, unpacker);
  } finally {
    unpacker.destroy();
  }
}

/** Errors of the input, set aside while the unpacker is torn down because of them. */
class InputError extends Error {}

/** Feeds one unpacker until its frame ends or the input does. Returns what is left of the last chunk. */
async function feedOneFrame(
  unpacker: Unpacker,
  chunks: Chunks,
  carried: Buffer | undefined,
): Promise<Buffer | undefined> {
  let fed = 0;
  let next = carried;
  while (true) {
    let chunk = next;
    next = undefined;
    if (chunk === undefined) {
      const result = await nextOf(chunks, unpacker);
      if (result.done) break;
      chunk = result.value;
    }
    fed += chunk.length;
    await writeTo(unpacker, chunk);
    const left = fed - unpacker.bytesWritten;
    if (left > 0) {
      unpacker.end();
      return chunk.subarray(chunk.length - left);
    }
  }
  unpacker.end();
  return undefined;
}

async function nextOf(chunks: Chunks, unpacker: Unpacker): Promise<IteratorResult<Buffer>> {
  try {
    return await chunks.next();
  } catch (error) {
    const failure = new InputError('the input failed', { cause: error });
    unpacker.destroy(failure);
    throw failure;
  }
}

/** Resolves when the chunk has been processed, which takes as long as the output takes to be read. */
async function writeTo(unpacker: Unpacker, chunk: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onClose = () => reject(new Error('the unpacker was closed'));
  unpacker.once('close', onClose);
  unpacker.write(chunk, (error) => (error ? reject(error) : resolve()));
  try {
    await promise;
  } finally {
    unpacker.off('close', onClose);
  }
}

function blame(error: unknown, compression: Compression, unpacker: Unpacker): unknown {
  const cause = unpacker.errored ?? error;
  if (cause instanceof InputError) return cause.cause;
  if (error instanceof FetchFault) return error;
  return archiveBroken(compression, cause instanceof Error ? cause.message : String(cause), cause);
}

/** gzip files may be padded with zeros, as on tapes. Anything else after the end does not belong there. */
async function expectZeros(
  compression: 'gzip',
  carried: Buffer,
  chunks: AsyncIterator<Buffer>,
): Promise<void> {
  let chunk: Buffer | undefined = carried;
  while (chunk !== undefined) {
    if (chunk.some((byte) => byte !== 0))
      throw archiveBroken(compression, 'bytes after the end of the archive');
    const result: IteratorResult<Buffer> = await chunks.next();
    chunk = result.done ? undefined : result.value;
  }
}
