import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageProgress, SourceAttempt } from '@millrace/image';
import { fetchLine, makeFetchDisplay } from './fetch-display.ts';

const attempt = (fields: Partial<SourceAttempt>): SourceAttempt => ({
  url: 'http://m/a',
  sourceRank: 1,
  checksumAttempt: 1,
  tryNumber: 1,
  state: 'running',
  bytes: 0,
  bytesPerSecond: 0,
  durationMs: 10,
  ...fields,
});
const progress = (fields: Partial<ImageProgress>): ImageProgress => ({
  phase: 'transferring',
  bytes: 0,
  bytesPerSecond: 0,
  attempts: [],
  ...fields,
});

test('the line of a fetch has a bar when the whole is known', () => {
  assert.equal(
    fetchLine(
      progress({
        url: 'http://m/b',
        bytes: 12_300_000,
        totalBytes: 45_000_000,
        bytesPerSecond: 40_000_000,
        etaSeconds: 0.8,
        attempts: [attempt({ state: 'failed' }), attempt({ sourceRank: 2, url: 'http://m/b' })],
      }),
      true,
    ),
    'transferring █████░░░░░░░░░░░░░░░ 27% · 12.3/45.0 MB · 40 MB/s · ETA 1 s · mirror 2 http://m/b',
  );
  assert.equal(fetchLine(progress({ bytes: 5_000_000 }), true), 'transferring · 5.0 MB');
  assert.equal(fetchLine(progress({ phase: 'planning', bytes: 5, totalBytes: 5 }), true), 'planning');
  assert.equal(fetchLine(progress({ bytes: 1, totalBytes: 2 }), false), 'transferring 50% · 1/2 B');
  assert.match(fetchLine(progress({ bytes: 3, totalBytes: 2 }), true), /█{20} 100%/);
});

test('each failed source is told once, and without a terminal each phase is one line', () => {
  const printed: string[] = [];
  const live = { show: () => {}, print: (text: string) => void printed.push(text), clear: () => {} };
  const display = makeFetchDisplay({ live, isTty: false });
  const failed = attempt({ state: 'failed', reason: 'HTTP_NOT_FOUND', next: 'next-source' });
  display.update(progress({ phase: 'planning', attempts: [attempt({})] }));
  display.update(progress({ attempts: [failed] }));
  display.update(progress({ attempts: [failed, attempt({ sourceRank: 2 })], bytes: 10 }));
  display.update(progress({ phase: 'committed', attempts: [failed] }));
  display.finish();
  assert.deepEqual(printed, [
    'planning',
    '✗ mirror 1 http://m/a · 0 B · 10 ms · HTTP_NOT_FOUND, then next source',
    'transferring',
    'committed',
  ]);
});

test('a terminal gets a failed source in brief, and no word of other hosts: there are none', () => {
  const printed: string[] = [];
  const live = { show: () => {}, print: (text: string) => void printed.push(text), clear: () => {} };
  const display = makeFetchDisplay({ live, isTty: true });
  const message = 'the server does not have the file: answered 404';
  display.update(
    progress({
      attempts: [attempt({ state: 'failed', reason: 'HTTP_NOT_FOUND', message, next: 'next-host' })],
    }),
  );
  assert.deepEqual(printed, ['✗ mirror 1 http://m/a · the server does not have the file']);
});

test('several sources at once have a line each below that of the whole, and at most eight', () => {
  const shown: (readonly string[])[] = [];
  const show = (text: string | readonly string[]) => void shown.push([text].flat());
  const display = makeFetchDisplay({ live: { show, print: () => {}, clear: () => {} }, isTty: true });
  const running = (count: number) =>
    Array.from({ length: count }, (_, index) =>
      attempt({
        sourceRank: index + 1,
        url: `http://m${index}/a`,
        bytesPerSecond: 20_000_000,
        bytes: 5_000_000,
      }),
    );
  display.update(progress({ attempts: running(2), url: 'http://m0/a' }));
  assert.deepEqual(shown.at(-1), [
    'transferring · 2 mirrors',
    '  mirror 1 · 20 MB/s · 5.0 MB · http://m0/a',
    '  mirror 2 · 20 MB/s · 5.0 MB · http://m1/a',
  ]);
  display.update(progress({ attempts: running(12) }));
  assert.equal(shown.at(-1)?.length, 10);
  assert.equal(shown.at(-1)?.at(-1), '  and 4 more');
});
