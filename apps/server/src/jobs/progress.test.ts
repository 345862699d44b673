import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeProgressReporter } from './progress.ts';
import type { JobProgress } from './queue.ts';

function reporterAt(clock: { now: number }, initial?: { percent: number; phasems: Record<string, number> }) {
  const written: JobProgress[] = [];
  const reporter = makeProgressReporter({
    initial,
    now: () => clock.now,
    minIntervalMs: 500,
    write: async (progress) => {
      written.push(progress);
    },
  });
  return { reporter, written };
}

test('a thousand reports in a moment are two writes: the first and the last', async () => {
  const { reporter, written } = reporterAt({ now: 0 });
  for (let i = 0; i < 1000; i++) reporter.report({ phase: 'transferring', percent: 1, bytes: i });
  await reporter.flush();
  assert.deepEqual(
    written.map((progress) => progress.bytes),
    [0, 999],
  );
});

test('percent never falls, also not below what an earlier worker had reported', async () => {
  const { reporter, written } = reporterAt({ now: 0 }, { percent: 40, phasems: {} });
  reporter.report({ phase: 'transferring', percent: 10 });
  await reporter.flush();
  reporter.report({ phase: 'starting', percent: 70.9 });
  await reporter.flush();
  reporter.report({ phase: 'starting', percent: 5 });
  await reporter.flush();
  assert.deepEqual(
    written.map((progress) => progress.percent),
    [40, 70, 70],
  );
});

test('times per phase add up over repeated phases and over workers', async () => {
  const clock = { now: 1000 };
  const { reporter } = reporterAt(clock, { percent: 0, phasems: { transferring: 50 } });
  reporter.report({ phase: 'transferring', percent: 1 });
  clock.now = 1100;
  reporter.report({ phase: 'verifying', percent: 2 });
  clock.now = 1130;
  reporter.report({ phase: 'transferring', percent: 3 });
  clock.now = 1140;
  assert.deepEqual(reporter.phaseMs(), { transferring: 160, verifying: 30 });
});

test('a failed write does not end the reporting', async () => {
  let count = 0;
  const clock = { now: 0 };
  const reporter = makeProgressReporter({
    initial: undefined,
    now: () => clock.now,
    write: async () => {
      count++;
      throw new Error('the database is away');
    },
  });
  reporter.report({ phase: 'a', percent: 1 });
  await reporter.flush();
  clock.now = 1000;
  reporter.report({ phase: 'b', percent: 2 });
  await reporter.flush();
  assert.equal(count, 2);
});
