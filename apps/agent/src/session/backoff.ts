/**
 * Wait before the next connection: doubling from 200 ms to 5 s, each time a random half of it or more, so that thousands
 * of hosts do not come back at the same instant.
 * @param attempt failures in a row so far, from 0
 * @param random in [0, 1)
 */
export function reconnectDelayMs(attempt: number, random: number): number {
  const full = Math.min(200 * 2 ** attempt, 5000);
  return Math.round(full * (0.5 + random / 2));
}
