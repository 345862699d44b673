import { sleep } from '@millrace/core';

/**
 * SQLSTATEs that say "not now": the server is going down, starting or full, the connection broke, or two transactions
 * collided. Class 08 is connection exceptions.
 */
const passingStates = new Set(['57P01', '57P02', '57P03', '53300', '40001', '40P01', '25P03']);
const passingErrnos = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTCONN',
  'EHOSTUNREACH',
]);
/** pg reports these without a code. */
const passingMessages =
  /connection terminated|timeout exceeded when trying to connect|not queryable|connection ended|client was closed/i;

/** Whether the database was merely away (or busy with a rival), so that the same transaction may succeed later. */
export function isPassing(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isPassing);
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (typeof code === 'string') {
    if (passingStates.has(code) || passingErrnos.has(code) || /^08[0-9A-Z]{3}$/.test(code)) return true;
    // the unix socket of a PostgreSQL that is restarting is not there
    if (code === 'ENOENT' && syscall === 'connect') return true;
  }
  return passingMessages.test(error.message) || (error.cause !== undefined && isPassing(error.cause));
}

export interface PatienceOptions {
  readonly signal: AbortSignal;
  readonly onRetry?: (error: unknown, delayMs: number) => void;
}

/** Milliseconds to wait before try number `count` + 1: quick at first, never more than two seconds. */
export function patienceDelayMs(count: number): number {
  return Math.min(2000, 100 * 2 ** Math.min(count, 6));
}

/**
 * Runs `work` until it ends otherwise than by the database being away. A connection that broke during COMMIT leaves it
 * open whether the transaction took effect, so `work` must be safe to repeat.
 */
export async function withPatience<T>(work: () => Promise<T>, options: PatienceOptions): Promise<T> {
  for (let count = 0; ; count++) {
    options.signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error)) throw error;
      const delayMs = patienceDelayMs(count);
      options.onRetry?.(error, delayMs);
      await sleep(delayMs, options.signal);
    }
  }
}
