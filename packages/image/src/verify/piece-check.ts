import type { DigestAlgorithm } from '@millrace/core';
import type { Slab } from '../memory/slab-pool.ts';
import { isAllZeros } from '../sink/zero-runs.ts';
import type { DigestEngine } from './digest-engine.ts';

/** What a metalink says of the pieces of a file (RFC 5854 §4.1.3.2). */
export interface PieceDigests {
  readonly algorithm: DigestAlgorithm;
  readonly lengthBytes: number;
  /** Of every piece, in order. */
  readonly hexDigests: readonly string[];
}

export interface PieceCheck {
  /** Whether the bytes of a segment, which is a whole number of pieces but for the last, are what they should be. */
  holds(segment: number, slab: Slab, length: number): Promise<boolean>;
}

/**
 * Checks segments by the digests of their pieces. Pieces of nothing but zeros, of which raw images are full, all have
 * the same digest: it is computed once, and looking for zeros is many times faster than hashing them.
 */
export function makePieceCheck(
  pieces: PieceDigests,
  segmentBytes: number,
  digests: DigestEngine,
): PieceCheck {
  const { algorithm, lengthBytes, hexDigests } = pieces;
  const perSegment = segmentBytes / lengthBytes;
  if (!Number.isInteger(perSegment)) throw new Error('a segment must be whole pieces');
  const zeroDigests = new Map<number, Promise<string>>();

  const digestOf = (slab: Slab, from: number, length: number): Promise<string> => {
    if (!isAllZeros(slab.bytes.subarray(from, from + length))) {
      return digests.digest(algorithm, slab, from, length);
    }
    const known = zeroDigests.get(length) ?? digests.digest(algorithm, slab, from, length);
    zeroDigests.set(length, known);
    return known;
  };
  return {
    async holds(segment, slab, length) {
      const checks: Promise<boolean>[] = [];
      for (let at = 0; at < length; at += lengthBytes) {
        const expected = hexDigests[segment * perSegment + at / lengthBytes];
        const actual = digestOf(slab, at, Math.min(lengthBytes, length - at));
        checks.push(actual.then((hex) => hex === expected));
      }
      return (await Promise.all(checks)).every(Boolean);
    },
  };
}
