import { FetchFault } from '../errors.ts';
import type { FirstAnswer, LaneOptions } from './lane.ts';

/**
 * Bytes that undici read are copied to where they belong, as far as nobody else has fetched them meanwhile. What the
 * answer did not hold is given back.
 */
export async function readFirst(options: LaneOptions, first: FirstAnswer): Promise<void> {
  const { transfer, counter, onBytes, signal, source } = options;
  const { segments, pool } = transfer;
  let position = first.position;
  const end = position + first.lengthBytes;
  let current = first.begun;
  let overtaken = false;
  /** @returns false when the next bytes are not wanted */
  const takeNext = () => {
    const segment = Math.floor(position / segments.segmentBytes);
    current = transfer.takeExactly(segment, { source, rate: undefined, now: performance.now() });
    return current !== undefined && segment * segments.segmentBytes + current.filled === position;
  };
  try {
    for await (const chunk of first.chunks) {
      if (position + chunk.length > end) {
        throw new FetchFault('RANGES_UNSUPPORTED', 'it sends more than the part asked for');
      }
      for (let at = 0; at < chunk.length; ) {
        if (overtaken || (current === undefined && !takeNext()) || !current) return;
        const assignment = current;
        assignment.onOvertaken = () => {
          overtaken = true;
        };
        assignment.slab ??= await pool.acquire(signal);
        const length = segments.lengthOf(assignment.segment);
        const to = at + length - assignment.filled;
        const count = chunk.copy(assignment.slab.bytes, assignment.filled, at, to);
        at += count;
        position += count;
        assignment.filled += count;
        counter.bytes += count;
        onBytes(count);
        if (assignment.filled < length) continue;
        current = undefined;
        await transfer.deliver(assignment);
      }
      if (position === end) return;
    }
    if (position < end) throw new FetchFault('TRANSFER_CUT', 'before the end of the part');
  } finally {
    if (current) segments.giveBack(current);
    transfer.changed.tell();
  }
}
