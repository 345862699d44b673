import { FetchFault } from '../errors.ts';
import type { Compression } from '../types.ts';
import { makeByteReader } from './byte-reader.ts';
import { compressionMagicBytes, detectCompression } from './compression.ts';
import type { ProgramCompression } from './end-check.ts';
import { decodeThroughProgram } from './program-decoder.ts';
import { unpackProgramsFor } from './programs.ts';
import type { DecodeOptions, Decoder } from './stage.ts';
import { unpackTar } from './unpack-tar.ts';
import { unpackZip } from './unpack-zip.ts';
import { decodeFrames } from './zlib-decoder.ts';

export type { Decoder } from './stage.ts';

export const decoders: Readonly<Record<Compression, Decoder>> = {
  none: (input) => input,
  gzip: decodeGzip,
  // as a stage between others node:zlib is as fast as the program zstd, which pays where nothing is copied
  zstd: (input, options) => decodeFrames('zstd', input, options),
  xz: (input, options) => decodeThroughInstalled('xz', input, options),
  bzip2: (input, options) => decodeThroughInstalled('bzip2', input, options),
  zip: unpackZip,
  tar: unpackTar,
};

function decodeThroughInstalled(
  compression: ProgramCompression,
  input: AsyncIterable<Buffer>,
  options: DecodeOptions,
): AsyncGenerator<Buffer> {
  const programs = unpackProgramsFor(compression, options.partial ?? false);
  return decodeThroughProgram(compression, programs, input, options);
}

/**
 * Through igzip where it is installed: as a stage it takes about as long as node:zlib, and this process a third of the
 * processor time (0.4 s instead of 1.25 s for 600 MB of an operating system). A few first bytes are not worth its start.
 */
async function* decodeGzip(input: AsyncIterable<Buffer>, options: DecodeOptions): AsyncGenerator<Buffer> {
  if (!options.partial) {
    try {
      return yield* decodeThroughInstalled('gzip', input, options);
    } catch (error) {
      // nothing has been read in this case
      if (!(error instanceof FetchFault && error.code === 'DECODER_MISSING')) throw error;
    }
  }
  yield* decodeFrames('gzip', input, options);
}

/**
 * The stage that takes the image out of an archive which was itself compressed (.tar.gz, .ova.xz, an .ova in a zip), by the
 * first bytes of what was unpacked. `undefined` when they are no archive's. To be asked once: what is then still packed is
 * refused by inspection.
 */
export function archiveStageFor(head: Uint8Array): Decoder | undefined {
  const packing = detectCompression(head);
  return packing === 'zip' || packing === 'tar' ? decoders[packing] : undefined;
}

/** Unpacks the compression and, if an archive comes to light, that one too. */
export async function* decodeLayers(
  compression: Compression,
  input: AsyncIterable<Buffer>,
  options: DecodeOptions,
): AsyncGenerator<Buffer, void, undefined> {
  if (compression === 'none') return yield* input;
  const reader = makeByteReader(decoders[compression](input, options));
  try {
    const first: Buffer[] = [];
    for (let missing = compressionMagicBytes; missing > 0; missing -= first.at(-1)!.length) {
      const part = await reader.some(missing);
      if (part === undefined) break;
      first.push(part);
    }
    const head = Buffer.concat(first);
    const unpacked = async function* () {
      yield head;
      for (let next = await reader.some(); next !== undefined; next = await reader.some()) yield next;
    };
    const stage = archiveStageFor(head);
    yield* stage ? stage(unpacked(), options) : unpacked();
  } finally {
    reader.close();
  }
}
