import { FetchFault } from '../errors.ts';
import type { Slab } from '../memory/slab-pool.ts';
import type { Assignment } from './segments.ts';
import type { Transfer } from './transfer.ts';

export interface StreamOptions {
  readonly transfer: Transfer;
  readonly source: number;
  readonly chunks: AsyncIterable<Buffer>;
  /** What the source must send; `undefined`: whatever it sends is the whole. */
  readonly expectedBytes: number | undefined;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Takes a whole file from one answer, from its first byte to its last: for servers that send no parts, and for files
 * of which nothing would tell that two answers are about the same bytes.
 * @throws FetchFault `LENGTH_TOO_SHORT`, `LENGTH_TOO_LONG`, and what the chunks throw
 */
export async function runStream(options: StreamOptions): Promise<void> {
  const { transfer, source, chunks, expectedBytes, onBytes, signal } = options;
  const { segments, pool } = transfer;
  let slab: Slab | undefined;
  let filled = 0;
  let received = 0;
  const deliver = async () => {
    let assignment: Assignment | undefined;
    while (!assignment) {
      assignment = transfer.take({ source, rate: undefined, now: performance.now() });
      // so many wait for whoever unpacks them that there is no room for more
      if (!assignment) await transfer.changed.next(signal);
    }
    if (!slab) throw new Error('there is nothing to deliver');
    assignment.slab = slab;
    assignment.filled = filled;
    slab = undefined;
    filled = 0;
    await transfer.deliver(assignment);
  };
  try {
    for await (const chunk of chunks) {
      received += chunk.length;
      if (expectedBytes !== undefined && received > expectedBytes) {
        throw new FetchFault('LENGTH_TOO_LONG', `more than the ${expectedBytes} bytes expected`);
      }
      onBytes(chunk.length);
      for (let at = 0; at < chunk.length; ) {
        // a full one goes when something follows: the last one goes when it is known to be the last
        if (filled === segments.segmentBytes) await deliver();
        slab ??= await pool.acquire(signal);
        const count = chunk.copy(slab.bytes, filled, at, at + segments.segmentBytes - filled);
        at += count;
        filled += count;
      }
    }
    if (expectedBytes !== undefined && received < expectedBytes) {
      throw new FetchFault('LENGTH_TOO_SHORT', `${received} of ${expectedBytes} bytes`);
    }
    segments.setSize(received);
    if (filled > 0) await deliver();
    transfer.changed.tell();
  } finally {
    slab?.release();
  }
}
