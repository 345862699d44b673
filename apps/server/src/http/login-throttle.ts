/** Slows down guessing of passwords. Failures are counted per client and user, per client, and per user. */
export interface LoginThrottle {
  /** Seconds to wait before the next try is looked at; 0: go ahead. */
  waitSeconds(address: string, username: string): number;
  /** Counts a try; called before the password is looked at, and taken back by `succeeded`. */
  failed(address: string, username: string): void;
  succeeded(address: string, username: string): void;
}

interface Counter {
  failures: number;
  last: number;
}

/** After `free` failures each further one doubles the wait, up to `mostSeconds`; an hour without any forgets them. */
const limits = {
  pair: { free: 5, mostSeconds: 300 },
  address: { free: 30, mostSeconds: 300 },
  // so many that a stranger cannot lock an operator out for long, few enough that a botnet gets nowhere
  username: { free: 100, mostSeconds: 5 },
} as const;

const forgetAfterMs = 3_600_000;
const mostCounters = 20_000;

/**
 * Kept in memory: each server counts on its own, so many servers allow as many times the tries, which the growing wait
 * makes irrelevant; and nothing that strangers do without an account writes to the database.
 * @param now milliseconds on a clock that never goes back
 */
export function makeLoginThrottle(now: () => number): LoginThrottle {
  const counters = new Map<string, Counter>();

  const keys = (address: string, username: string) =>
    [
      ['pair', `pair\n${address}\n${username}`],
      ['address', `address\n${address}`],
      ['username', `username\n${username}`],
    ] as const;

  const wait = (kind: keyof typeof limits, counter: Counter | undefined): number => {
    if (!counter) return 0;
    const over = counter.failures - limits[kind].free;
    if (over < 0) return 0;
    const seconds = Math.min(2 ** Math.min(over, 20), limits[kind].mostSeconds);
    return Math.max(0, Math.ceil((counter.last + seconds * 1000 - now()) / 1000));
  };

  return {
    waitSeconds: (address, username) =>
      Math.max(...keys(address, username).map(([kind, key]) => wait(kind, counters.get(key)))),
    failed(address, username) {
      for (const [, key] of keys(address, username)) {
        const old = counters.get(key);
        const failures = old && now() - old.last < forgetAfterMs ? old.failures + 1 : 1;
        // re-inserted, so that the map stays in the order of last use and the oldest is dropped first
        counters.delete(key);
        counters.set(key, { failures, last: now() });
      }
      while (counters.size > mostCounters) counters.delete(counters.keys().next().value!);
    },
    succeeded(address, username) {
      for (const [kind, key] of keys(address, username)) {
        const counter = counters.get(key);
        if (!counter) continue;
        // the try itself was counted as a failure when it began
        counter.failures -= 1;
        if (kind === 'pair' || counter.failures <= 0) counters.delete(key);
      }
    },
  };
}
