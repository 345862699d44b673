import { orAborted } from '@millrace/core';

/** Runs tasks of one key one after the other, in the order they came; tasks of different keys run side by side. */
export interface Lanes {
  /** @throws the signal's reason when it aborts before the task's turn comes; the task then never runs. */
  run<T>(key: string, signal: AbortSignal, task: () => Promise<T>): Promise<T>;
}

export function makeLanes(): Lanes {
  const tails = new Map<string, Promise<void>>();
  return {
    async run(key, signal, task) {
      const before = tails.get(key) ?? Promise.resolve();
      const { promise: done, resolve: finish } = Promise.withResolvers<void>();
      const tail = before.then(() => done);
      tails.set(key, tail);
      try {
        await orAborted(before, signal);
        return await task();
      } finally {
        finish();
        // whoever gives up while waiting must not let those behind overtake those before: the tail keeps both
        void tail.then(() => {
          if (tails.get(key) === tail) tails.delete(key);
        });
      }
    },
  };
}
