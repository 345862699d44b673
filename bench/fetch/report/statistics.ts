/** @returns `undefined` of nothing */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 0 && low !== undefined && high !== undefined ? (low + high) / 2 : high;
}

/** `1.27` of a few seconds, `79.1` of many. */
export function formatSeconds(seconds: number): string {
  return seconds.toFixed(seconds < 10 ? 2 : 1);
}

export function formatMebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
