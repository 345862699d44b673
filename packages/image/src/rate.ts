const halfLifeMs = 2000;

export interface Rate {
  add(bytes: number): void;
  perSecond(): number;
  restart(): void;
}

/** Bytes per second as an exponentially weighted average over time: what was a half-life ago counts half. */
export function makeRate(now: () => number): Rate {
  let weightedBytes = 0;
  let weightedMs = 0;
  let since = now();
  const settle = () => {
    const elapsed = now() - since;
    if (elapsed <= 0) return;
    const kept = 0.5 ** (elapsed / halfLifeMs);
    weightedBytes *= kept;
    weightedMs = weightedMs * kept + elapsed;
    since = now();
  };
  return {
    add(bytes) {
      settle();
      weightedBytes += bytes;
    },
    perSecond() {
      settle();
      return weightedMs > 0 ? (weightedBytes / weightedMs) * 1000 : 0;
    },
    restart() {
      weightedBytes = 0;
      weightedMs = 0;
      since = now();
    },
  };
}
