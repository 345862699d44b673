/** Bytes that may be spent at a rate. Spending more than there is makes a debt, which the next one waits for. */
export interface TokenBucket {
  isUnlimited(): boolean;
  isReady(): boolean;
  /** Milliseconds after which to ask again: until it is ready, unless that is very long. */
  waitMs(): number;
  spend(bytes: number): void;
  /** @throws RangeError for a rate that is not above zero */
  setRate(bytesPerSecond: number | undefined): void;
}

/** What may be saved up while nobody spends: enough to make up for timers that are late, too little to be a burst. */
const savedSeconds = 0.1;
/** Timers cannot be set for much longer. */
const longestWaitMs = 24 * 3600 * 1000;

/** @throws RangeError for a rate that is not above zero */
export function makeTokenBucket(bytesPerSecond: number | undefined, now: () => number): TokenBucket {
  let rate = checked(bytesPerSecond);
  let bytes = 0;
  let since = now();
  const refill = (): void => {
    const at = now();
    if (rate !== undefined) bytes = Math.min(bytes + ((at - since) / 1000) * rate, rate * savedSeconds);
    since = at;
  };
  return {
    isUnlimited: () => rate === undefined,
    isReady() {
      if (rate === undefined) return true;
      refill();
      return bytes >= 0;
    },
    waitMs() {
      refill();
      if (rate === undefined || bytes >= 0) return 1;
      return Math.min(Math.ceil((-bytes / rate) * 1000), longestWaitMs);
    },
    spend(spent) {
      if (rate !== undefined) bytes -= spent;
    },
    setRate(next) {
      // what is due until now is due at the old rate
      refill();
      rate = checked(next);
      bytes = rate === undefined ? 0 : Math.min(bytes, rate * savedSeconds);
    },
  };
}

function checked(rate: number | undefined): number | undefined {
  if (rate !== undefined && !(rate > 0)) throw new RangeError(`a rate of ${rate} bytes per second`);
  return rate;
}
