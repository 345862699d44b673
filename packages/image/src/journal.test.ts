import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageProgress } from './index.ts';
import { makeJournal } from './journal.ts';
import { makeRate } from './rate.ts';

const spot = {
  source: { url: 'http://user:secret@m.example/x?token=secret', location: 'de', rank: 1 },
  rank: 2,
  checksumAttempt: 1,
  tryNumber: 1,
};

/** A clock that only moves when told to. */
function makeClock() {
  let time = 1000;
  return {
    now: () => time,
    advance: (milliseconds: number) => {
      time += milliseconds;
    },
  };
}

test('the rate follows what arrives now and falls while nothing does', () => {
  const clock = makeClock();
  const rate = makeRate(clock.now);
  assert.equal(rate.perSecond(), 0);
  for (let i = 0; i < 100; i++) {
    clock.advance(100);
    rate.add(100_000);
  }
  assert.ok(Math.abs(rate.perSecond() - 1_000_000) < 60_000, `${rate.perSecond()}`);
  clock.advance(2000);
  assert.ok(rate.perSecond() < 600_000);
  clock.advance(60_000);
  assert.ok(rate.perSecond() < 1000);
});

test('bytes are reported five times a second at most, changes at once', () => {
  const clock = makeClock();
  const reports: ImageProgress[] = [];
  using journal = makeJournal({ now: clock.now, onProgress: (report) => void reports.push(report) });
  const record = journal.startAttempt(spot);
  record.setTotal(10_000);
  journal.enterPhase('transferring');
  const before = reports.length;
  for (let i = 0; i < 1000; i++) {
    clock.advance(1);
    record.addBytes(5);
  }
  assert.equal(reports.length - before, 5);
  const last = reports.at(-1)!;
  assert.deepEqual(
    [last.bytes, last.totalBytes, last.bytesPerSecond, last.etaSeconds],
    [5000, 10_000, 5000, 1],
  );
  record.fail({ code: 'HTTP_NOT_FOUND', message: 'gone' }, 'next-source');
  assert.equal(reports.length - before, 6);
});

test('attempts and phases are recorded with their times, and URLs without their secrets', () => {
  const clock = makeClock();
  using journal = makeJournal({ now: clock.now, onProgress: undefined });
  clock.advance(10);
  const record = journal.startAttempt(spot);
  journal.enterPhase('transferring');
  record.addBytes(3000);
  clock.advance(1500);
  journal.enterPhase('verifying');
  record.succeed();
  assert.deepEqual(journal.attempts, [
    {
      url: 'http://***@m.example/x?…',
      sourceRank: 2,
      location: 'de',
      checksumAttempt: 1,
      tryNumber: 1,
      state: 'succeeded',
      bytes: 3000,
      bytesPerSecond: 2000,
      durationMs: 1500,
      next: 'done',
    },
  ]);
  assert.deepEqual(journal.phaseMs, { planning: 10, transferring: 1500, verifying: 0 });
});

test('a report is a picture of its moment and does not change afterwards', () => {
  const clock = makeClock();
  const reports: ImageProgress[] = [];
  using journal = makeJournal({ now: clock.now, onProgress: (report) => void reports.push(report) });
  const record = journal.startAttempt(spot);
  record.fail({ code: 'HTTP_NOT_FOUND', message: 'gone' }, 'next-source');
  assert.deepEqual(
    reports.map(({ attempts }) => attempts[0]?.state),
    ['running', 'failed'],
  );
});
