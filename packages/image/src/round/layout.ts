import { pageBytes } from '../memory/slab-pool.ts';
import type { PieceDigests } from '../verify/piece-check.ts';

/** How a file is cut, and how much memory it passes through. */
export interface Layout {
  readonly segmentBytes: number;
  readonly slabs: number;
  /** `undefined`: pieces that segments cannot be made of. */
  readonly pieces: PieceDigests | undefined;
}

/** As large as a segment is when nothing speaks against it: large enough that asking costs nothing, small enough to lose. */
const usualSegmentBytes = 4 * 1024 * 1024;
const smallestSegmentBytes = 256 * 1024;
const largestPieceBytes = 8 * 1024 * 1024;
/** A small file is cut too, so that several sources can share it. */
const segmentsOfSmallFile = 16;
const memoryBytes = 32 * 1024 * 1024;
const fewestSlabs = 6;
/** What is unpacked needs memory on its other side too, and segments that wait for their turn cannot be put aside. */
const packedMemoryBytes = 20 * 1024 * 1024;
const packedSegmentBytes = 2 * 1024 * 1024;
export const unpackedSlabs = { slabBytes: 2 * 1024 * 1024, count: 6 } as const;

/** Chooses segments for a file of this size; `undefined` when the size is not known. */
export function layoutOf(
  sizeBytes: number | undefined,
  pieces: PieceDigests | undefined,
  packed: boolean,
): Layout {
  const most = packed ? packedSegmentBytes : usualSegmentBytes;
  const usual = Math.min(most, sizeBytes === undefined ? usualSegmentBytes : cut(sizeBytes));
  const memory = packed ? packedMemoryBytes : memoryBytes;
  const usable = pieces && isUsable(pieces) ? pieces : undefined;
  const segmentBytes = usable ? usable.lengthBytes * Math.ceil(usual / usable.lengthBytes) : usual;
  const fitting = Math.max(fewestSlabs, Math.floor(memory / segmentBytes));
  const needed = sizeBytes === undefined ? fitting : Math.ceil(sizeBytes / segmentBytes) + 3;
  return { segmentBytes, slabs: Math.max(fewestSlabs, Math.min(fitting, needed, 16)), pieces: usable };
}

function cut(sizeBytes: number): number {
  let segmentBytes = smallestSegmentBytes;
  while (segmentBytes < usualSegmentBytes && sizeBytes / segmentBytes > segmentsOfSmallFile)
    segmentBytes *= 2;
  return segmentBytes;
}

/** Pieces that do not end at pages could not be written directly, and very long ones not be held in memory. */
function isUsable({ lengthBytes }: PieceDigests): boolean {
  return lengthBytes % pageBytes === 0 && lengthBytes <= largestPieceBytes;
}
