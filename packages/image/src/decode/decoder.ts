import type { Compression } from '../types.ts';
import { makeByteReader } from './byte-reader.ts';
import { compressionMagicBytes, detectCompression } from './compression.ts';
import { bzip2Programs, decodeThroughProgram, xzPrograms } from './program-decoder.ts';
import type { DecodeOptions, Decoder } from './stage.ts';
import { unpackTar } from './unpack-tar.ts';
import { unpackZip } from './unpack-zip.ts';
import { decodeFrames } from './zlib-decoder.ts';

export type { Decoder } from './stage.ts';

export const decoders: Readonly<Record<Compression, Decoder>> = {
  none: (input) => input,
  gzip: (input, options) => decodeFrames('gzip', input, options),
  zstd: (input, options) => decodeFrames('zstd', input, options),
  xz: (input, options) => decodeThroughProgram('xz', xzPrograms, input, options),
  bzip2: (input, options) => decodeThroughProgram('bzip2', bzip2Programs(options), input, options),
  zip: unpackZip,
  tar: unpackTar,
};

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
