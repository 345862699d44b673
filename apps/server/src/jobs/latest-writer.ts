/** Writes values at a bounded rate; when they come faster, only the latest is written. One write at a time, in order. */
export interface LatestWriter<T> {
  offer(value: T): void;
  /** Writes what has not been written yet, and waits for it. */
  flush(): Promise<void>;
}

export function makeLatestWriter<T>(options: {
  /** A rejection is ignored: the next value makes up for it. */
  readonly write: (value: T) => Promise<void>;
  readonly minIntervalMs: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
}): LatestWriter<T> {
  let unwritten: { readonly value: T } | undefined;
  let lastWrite = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const writeLatest = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const latest = unwritten;
    if (!latest) return writing;
    unwritten = undefined;
    lastWrite = options.now();
    writing = writing.then(() => options.write(latest.value)).catch(() => {});
    return writing;
  };

  return {
    offer(value) {
      unwritten = { value };
      if (timer) return;
      const waitMs = lastWrite + options.minIntervalMs - options.now();
      if (waitMs <= 0) void writeLatest();
      else timer = setTimeout(() => void writeLatest(), waitMs);
    },
    flush: writeLatest,
  };
}
