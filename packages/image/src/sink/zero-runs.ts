const zeros = Buffer.alloc(65_536);

/** Blocks of zeros of this size, at multiples of it, are worth leaving out of a file. */
export const zeroBlockBytes = zeros.length;

/** The runs of blocks of a buffer that are not all zero, as `[from, to)`; comparing costs next to nothing. */
export function runsWithoutZeros(bytes: Buffer): (readonly [from: number, to: number])[] {
  const runs: [number, number][] = [];
  for (let at = 0; at < bytes.length; at += zeroBlockBytes) {
    const end = Math.min(at + zeroBlockBytes, bytes.length);
    if (bytes.compare(zeros, 0, end - at, at, end) === 0) continue;
    const last = runs.at(-1);
    if (last?.[1] === at) last[1] = end;
    else runs.push([at, end]);
  }
  return runs;
}

export function isAllZeros(bytes: Buffer): boolean {
  return runsWithoutZeros(bytes).length === 0;
}
