import type { Compression } from '../types.ts';
import { isTarHeader, tarBlockBytes } from './tar-header.ts';

const magics: readonly (readonly [compression: Compression, magic: readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  // the header of a first member: an empty archive and one in several parts begin otherwise and are of no use
  ['zip', [0x50, 0x4b, 0x03, 0x04]],
];

/** How many bytes `detectCompression` wants to see: with fewer a tar file is not recognised. */
export const compressionMagicBytes = tarBlockBytes;

/** Finds compression or archive by the first bytes. Names and media types say nothing reliable. */
export function detectCompression(first: Uint8Array): Compression {
  for (const [compression, magic] of magics) {
    if (!magic.every((byte, index) => first[index] === byte)) continue;
    if (compression === 'bzip2' && !isBzip2(first)) continue;
    return compression;
  }
  if (isSkippableZstdFrame(first)) return 'zstd';
  return isTarHeader(first) ? 'tar' : 'none';
}

/** `BZh` is three letters that a text could begin with: the level and the magic of a block or of the end must follow. */
function isBzip2(first: Uint8Array): boolean {
  const level = first[3] ?? 0;
  const next = Buffer.from(first.subarray(4, 10)).toString('hex');
  return level >= 0x31 && level <= 0x39 && (next === '314159265359' || next === '177245385090');
}

/** zstd files may begin with a skippable frame, 0x184D2A50 to 5F (RFC 8878 §3.1.2); pzstd writes one. */
function isSkippableZstdFrame(first: Uint8Array): boolean {
  return ((first[0] ?? 0) & 0xf0) === 0x50 && first[1] === 0x2a && first[2] === 0x4d && first[3] === 0x18;
}
