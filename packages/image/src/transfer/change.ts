import { orAborted } from '@millrace/core';

/** Lets many wait for the next change of something; nobody who waits before a change misses it. */
export interface Change {
  tell(): void;
  /** Resolves with the next change after the call. Rejects with the signal's reason. */
  next(signal: AbortSignal): Promise<void>;
}

export function makeChange(): Change {
  let coming = Promise.withResolvers<void>();
  return {
    tell() {
      coming.resolve();
      coming = Promise.withResolvers<void>();
    },
    next: (signal) => orAborted(coming.promise, signal),
  };
}
