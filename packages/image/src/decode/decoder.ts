import type { Compression } from '../types.ts';
import { bzip2Programs, decodeThroughProgram, xzPrograms } from './program-decoder.ts';
import type { DecodeOptions } from './stage.ts';
import { decodeFrames } from './zlib-decoder.ts';

/** A stage of a pipeline: compressed bytes in, plain bytes out. Errors of the input pass through it unchanged. */
export type Decoder = (input: AsyncIterable<Buffer>, options: DecodeOptions) => AsyncIterable<Buffer>;

export const decoders: Readonly<Record<Compression, Decoder>> = {
  none: (input) => input,
  gzip: (input, options) => decodeFrames('gzip', input, options),
  zstd: (input, options) => decodeFrames('zstd', input, options),
  xz: (input, options) => decodeThroughProgram('xz', xzPrograms, input, options),
  bzip2: (input, options) => decodeThroughProgram('bzip2', bzip2Programs(options), input, options),
};
