import { sleep } from '@millrace/core';
import type { Counter, LaneState, RangeLanesOptions } from './lane.ts';

/** A further connection is kept when it makes the source at least this many times as fast. */
const worthwhile = 1.15;
const measureMs = 1500;

/** Adds connections as long as each makes the source faster; the one that does not is told to end. */
export async function grow(
  options: RangeLanesOptions & { readonly counter: Counter },
  state: LaneState,
  add: (extra: AbortController) => void,
): Promise<void> {
  const { counter, signal, transfer, mostConnections } = options;
  const measure = async () => {
    const before = counter.bytes;
    const since = performance.now();
    await sleep(measureMs, signal);
    return ((counter.bytes - before) / (performance.now() - since)) * 1000;
  };
  await sleep(measureMs, signal);
  let rate = await measure();
  while (state.connections < mostConnections) {
    const left = (transfer.segments.sizeBytes ?? 0) - transfer.segments.doneBytes;
    // what is over soon is not made shorter by another handshake
    if (left / Math.max(1, rate) < 4) return;
    const extra = new AbortController();
    add(extra);
    await sleep(measureMs / 2, signal);
    const together = await measure();
    if (together < rate * worthwhile) {
      extra.abort();
      return;
    }
    rate = together;
  }
}
