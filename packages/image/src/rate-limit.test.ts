import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as macrotask } from 'node:timers/promises';
import { makeRateLimiter, type RateLimiterOptions, type TransferRate } from './rate-limit.ts';

const never = new AbortController().signal;
const KiB = 1024;

/** A clock that moves when told to, and the timers that are set on it. */
function fakeClock() {
  let time = 0;
  let timers: { at: number; fire: () => void }[] = [];
  const options: Pick<RateLimiterOptions, 'now' | 'sleep'> = {
    now: () => time,
    sleep(ms, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer = { at: time + ms, fire: resolve };
      timers.push(timer);
      signal.addEventListener('abort', () => {
        timers = timers.filter((other) => other !== timer);
        reject(signal.reason);
      });
      return promise;
    },
  };
  return {
    options,
    timers: () => timers.length,
    async pass(ms: number) {
      const end = time + ms;
      // takes that were granted are taken note of before the next timer
      await macrotask();
      for (;;) {
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        time = Math.max(time, next.at);
        timers = timers.filter((other) => other !== next);
        next.fire();
        await macrotask();
      }
      time = end;
    },
  };
}

/** A transfer that takes chunk after chunk as soon as it may, over some connections. */
function busy(transfer: TransferRate, chunkBytes: number, connections = 1) {
  const stop = new AbortController();
  const state = { bytes: 0, stop: () => stop.abort(new Error('stopped')) };
  for (let connection = 0; connection < connections; connection++) {
    (async () => {
      for (;;) {
        await transfer.take(chunkBytes, stop.signal);
        state.bytes += chunkBytes;
        // reading them
        await undefined;
      }
    })().catch(() => {});
  }
  return state;
}

function near(actual: number, expected: number, tolerance = 0.02): void {
  assert.ok(
    Math.abs(actual - expected) <= expected * tolerance,
    `${actual} is not within ${tolerance * 100} % of ${expected}`,
  );
}

test('without a rate every take is granted at once and no timer is set', async () => {
  const clock = fakeClock();
  const limiter = makeRateLimiter({ bytesPerSecond: undefined, ...clock.options });
  using transfer = limiter.forTransfer({ priority: 'prefetch' });
  for (let i = 0; i < 1000; i++) await transfer.take(1e9, never);
  assert.equal(clock.timers(), 0);
});

test('a host’s rate holds over time, whatever the size of the chunks', async () => {
  for (const chunk of [100, 64 * KiB, 3_000_000]) {
    const clock = fakeClock();
    const limiter = makeRateLimiter({ bytesPerSecond: 1_000_000, ...clock.options });
    using transfer = limiter.forTransfer({ priority: 'deployment' });
    const taking = busy(transfer, chunk);
    await clock.pass(chunk === 100 ? 2_000 : 60_000);
    near(taking.bytes, chunk === 100 ? 2_000_000 : 60_000_000, 0.06);
    taking.stop();
    await clock.pass(0);
    assert.equal(clock.timers(), 0);
  }
});

test('transfers share alike, with more connections or larger chunks or without', async () => {
  const clock = fakeClock();
  const limiter = makeRateLimiter({ bytesPerSecond: 10_000_000, ...clock.options });
  const shapes = [
    [64 * KiB, 1],
    [64 * KiB, 8],
    [1024 * KiB, 1],
    [1024 * KiB, 4],
  ] as const;
  const taking = shapes.map(([chunk, connections]) =>
    busy(limiter.forTransfer({ priority: 'deployment' }), chunk, connections),
  );
  await clock.pass(60_000);
  for (const { bytes } of taking) near(bytes, 150_000_000, 0.03);
  for (const { stop } of taking) stop();
});

test('what one transfer leaves, the others get', async () => {
  const clock = fakeClock();
  const limiter = makeRateLimiter({ bytesPerSecond: 10_000_000, ...clock.options });
  const slow = busy(limiter.forTransfer({ priority: 'deployment', bytesPerSecond: 1_000_000 }), 64 * KiB, 4);
  const fast = busy(limiter.forTransfer({ priority: 'deployment' }), 64 * KiB);
  await clock.pass(30_000);
  near(slow.bytes, 30_000_000);
  near(fast.bytes, 270_000_000);
  slow.stop();
  const before = fast.bytes;
  await clock.pass(10_000);
  near(fast.bytes - before, 100_000_000);
  fast.stop();
});

test('a transfer that was alone owes nothing to one that comes later', async () => {
  const clock = fakeClock();
  const limiter = makeRateLimiter({ bytesPerSecond: 10_000_000, ...clock.options });
  const first = busy(limiter.forTransfer({ priority: 'deployment' }), 64 * KiB);
  await clock.pass(60_000);
  const alone = first.bytes;
  const second = busy(limiter.forTransfer({ priority: 'deployment' }), 64 * KiB);
  await clock.pass(10_000);
  near(first.bytes - alone, 50_000_000, 0.03);
  near(second.bytes, 50_000_000, 0.03);
});

test('a pre-fetch beside a busy deployment gets a twentieth, never less and never more', async () => {
  for (const connections of [1, 4]) {
    const clock = fakeClock();
    const limiter = makeRateLimiter({ bytesPerSecond: 10_000_000, ...clock.options });
    const early = busy(limiter.forTransfer({ priority: 'prefetch' }), 64 * KiB, connections);
    await clock.pass(10_000);
    near(early.bytes, 100_000_000);
    const deployment = busy(limiter.forTransfer({ priority: 'deployment' }), 64 * KiB, connections);
    const before = early.bytes;
    await clock.pass(20_000);
    near(early.bytes - before, 10_000_000, 0.05);
    near(deployment.bytes, 190_000_000);
    deployment.stop();
    await clock.pass(1_000);
    const after = early.bytes;
    await clock.pass(5_000);
    near(early.bytes - after, 50_000_000);
  }
});

test('a pre-fetch gets all that a deployment with a rate of its own leaves', async () => {
  const clock = fakeClock();
  const limiter = makeRateLimiter({ bytesPerSecond: 10_000_000, ...clock.options });
  const deployment = busy(
    limiter.forTransfer({ priority: 'deployment', bytesPerSecond: 4_000_000 }),
    64 * KiB,
    4,
  );
  const prefetch = busy(limiter.forTransfer({ priority: 'prefetch' }), 64 * KiB, 4);
  await clock.pass(30_000);
  near(deployment.bytes, 120_000_000, 0.03);
  near(prefetch.bytes, 180_000_000, 0.03);
});

test('rates change while transfers wait', async () => {
  const clock = fakeClock();
  const limiter = makeRateLimiter({ bytesPerSecond: 1000, ...clock.options });
  using transfer = limiter.forTransfer({ priority: 'deployment' });
  const taking = busy(transfer, 64 * KiB);
  await clock.pass(10_000);
  assert.equal(taking.bytes, 64 * KiB, 'the first chunk is paid for in a minute');
  limiter.setRate(10_000_000);
  await clock.pass(10_000);
  near(taking.bytes, 100_000_000);
  transfer.setRate(1_000_000);
  const before = taking.bytes;
  await clock.pass(10_000);
  near(taking.bytes - before, 10_000_000, 0.03);
  taking.stop();
  transfer.setRate(undefined);
  limiter.setRate(undefined);
  await transfer.take(1e12, never);
  assert.equal(clock.timers(), 0);
});

test('whoever waits is let go when the limit is lifted', async () => {
  const clock = fakeClock();
  const limiter = makeRateLimiter({ bytesPerSecond: 1, ...clock.options });
  using transfer = limiter.forTransfer({ priority: 'deployment' });
  await transfer.take(1e6, never);
  const waiting = [transfer.take(1e6, never), transfer.take(1e6, never)];
  assert.equal(clock.timers(), 1);
  limiter.setRate(undefined);
  await Promise.all(waiting);
  assert.equal(clock.timers(), 0);
});

test('idle time is saved up for a tenth of a second only', async () => {
  const clock = fakeClock();
  const limiter = makeRateLimiter({ bytesPerSecond: 1_000_000, ...clock.options });
  using transfer = limiter.forTransfer({ priority: 'deployment' });
  await clock.pass(3_600_000);
  const taking = busy(transfer, 10_000);
  await clock.pass(0);
  assert.equal(taking.bytes, 110_000);
  taking.stop();
});

test('cancelling gives the place away, rejects with the reason and leaves no timer', async () => {
  const clock = fakeClock();
  const limiter = makeRateLimiter({ bytesPerSecond: 1000, ...clock.options });
  using first = limiter.forTransfer({ priority: 'deployment' });
  using second = limiter.forTransfer({ priority: 'deployment', bytesPerSecond: 10 });
  await first.take(1000, never);
  const stop = new AbortController();
  const waiting = first.take(5000, stop.signal);
  const behind = second.take(1000, never);
  stop.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  await clock.pass(1000);
  await behind;
  const parked = second.take(1, stop.signal);
  await assert.rejects(parked, /enough/, 'a signal that was aborted before');
  const again = new AbortController();
  const slow = second.take(1, again.signal);
  again.abort(new Error('also enough'));
  await assert.rejects(slow, /also enough/);
  assert.equal(clock.timers(), 0);
});

test('a transfer that is over takes nothing, and its end lets the others on', async () => {
  const clock = fakeClock();
  const limiter = makeRateLimiter({ bytesPerSecond: 1000, ...clock.options });
  const over = limiter.forTransfer({ priority: 'deployment' });
  await over.take(1000, never);
  const waiting = over.take(1000, never);
  over[Symbol.dispose]();
  await assert.rejects(waiting, /over/);
  await assert.rejects(over.take(1, never), /over/);
  assert.equal(clock.timers(), 0);
});

test('a rate is above zero', () => {
  for (const rate of [0, -1, Number.NaN]) {
    assert.throws(() => makeRateLimiter({ bytesPerSecond: rate }), RangeError);
    const limiter = makeRateLimiter({ bytesPerSecond: 1 });
    assert.throws(() => limiter.setRate(rate), RangeError);
    assert.throws(() => limiter.forTransfer({ bytesPerSecond: rate, priority: 'prefetch' }), RangeError);
  }
});

test('with the real clock the rate is about what it says', async () => {
  const limiter = makeRateLimiter({ bytesPerSecond: 10_000_000 });
  using transfer = limiter.forTransfer({ priority: 'deployment' });
  const begun = performance.now();
  for (let i = 0; i < 16; i++) await transfer.take(125_000, never);
  const seconds = (performance.now() - begun) / 1000;
  // 2 MB, of which the last chunk is paid for later
  assert.ok(seconds > 0.15 && seconds < 5, `${seconds} s`);
});
