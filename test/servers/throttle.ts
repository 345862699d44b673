import { setTimeout as delay } from 'node:timers/promises';

/** Holds bytes back to a rate; takers that wait at the same time share it evenly. */
export interface Throttle {
  take(bytes: number): Promise<void>;
  /** Bytes per second; `undefined`: no limit. */
  setRate(bytesPerSecond: number | undefined): void;
  /** How many bytes to take at a time so that the rate is even within a twentieth of a second. */
  stepBytes(): number;
}

/** What a late timer may make up for. Without it every wait that lasts too long would lower the rate. */
const burstMs = 50;

export function makeThrottle(bytesPerSecond?: number): Throttle {
  let rate = bytesPerSecond;
  let freeAt = 0;
  return {
    async take(bytes) {
      if (rate === undefined) return;
      const now = performance.now();
      freeAt = Math.max(freeAt, now - burstMs) + (bytes / rate) * 1000;
      const wait = freeAt - now;
      if (wait > 1) await delay(wait);
    },
    setRate(next) {
      rate = next;
      freeAt = 0;
    },
    stepBytes: () => (rate === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(rate / 20))),
  };
}
