import { FetchFault } from '../errors.ts';
import { networkFault } from './network-faults.ts';

export interface BodyOptions {
  readonly stallTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** Less than this, over a whole stall time, is no transfer but a way to keep a host busy for years. */
const slowestBytesPerSecond = 1024;

/**
 * The chunks of a body. Ends with `TRANSFER_STALLED` when nothing, or next to nothing, arrives for the stall time: only
 * the wait for bytes counts, not the time the consumer takes, so a slow disk is never blamed on the source.
 */
export async function* guardedBody(
  body: AsyncIterable<Buffer> & { destroy(): unknown },
  options: BodyOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const iterator = body[Symbol.asyncIterator]();
  const { stallTimeoutMs } = options;
  let waitedMs = 0;
  let arrivedBytes = 0;
  try {
    while (true) {
      const asked = performance.now();
      const result = await nextWithin(iterator, options);
      if (result.done) return;
      waitedMs += performance.now() - asked;
      arrivedBytes += result.value.length;
      if (waitedMs >= stallTimeoutMs) {
        if (arrivedBytes < (slowestBytesPerSecond * stallTimeoutMs) / 1000) {
          throw new FetchFault('TRANSFER_STALLED', `${arrivedBytes} bytes in ${stallTimeoutMs / 1000} s`);
        }
        waitedMs = 0;
        arrivedBytes = 0;
      }
      if (result.value.length > 0) yield result.value;
    }
  } finally {
    body.destroy();
  }
}

async function nextWithin(
  iterator: AsyncIterator<Buffer>,
  options: BodyOptions,
): Promise<IteratorResult<Buffer>> {
  const { signal, stallTimeoutMs } = options;
  signal.throwIfAborted();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(
    () => reject(new FetchFault('TRANSFER_STALLED', `${stallTimeoutMs / 1000} s without a byte`)),
    stallTimeoutMs,
  );
  try {
    return await Promise.race([toFault(iterator.next()), ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

async function toFault<T>(next: Promise<T>): Promise<T> {
  try {
    return await next;
  } catch (error) {
    throw networkFault(error);
  }
}
