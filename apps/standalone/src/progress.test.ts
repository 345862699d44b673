import assert from 'node:assert/strict';
import test from 'node:test';
import { formatBytes, formatDuration, makeProgress } from './progress.ts';

function recorder(isTerminal: boolean) {
  let text = '';
  let time = 0;
  const progress = makeProgress({
    write: (part) => {
      text += part;
    },
    isTerminal,
    columns: () => 40,
    now: () => {
      time += 250;
      return time;
    },
  });
  return { progress, text: () => text };
}

test('a step is one line with a tick, its outcome and its duration', async () => {
  const { progress, text } = recorder(false);
  assert.equal(await progress.step('Packages', async () => ({ value: 7, detail: 'all there' })), 7);
  assert.equal(text(), '✔ Packages: all there  0.25 s\n');
});

test('a step that fails is marked and its error passes on', async () => {
  const { progress, text } = recorder(false);
  await assert.rejects(
    progress.step('Database', async () => {
      throw new Error('no room');
    }),
    /no room/,
  );
  assert.equal(text(), '✘ Database  0.25 s\n');
});

test('on a terminal a live line is replaced by the next line and never wraps', () => {
  const { progress, text } = recorder(true);
  progress.live('x'.repeat(100));
  progress.line('done');
  assert.equal(text(), `\r\x1b[2K${'x'.repeat(39)}\r\x1b[2Kdone\n`);
});

test('in a log file live lines are left out and notes are lines', async () => {
  const { progress, text } = recorder(false);
  progress.live('12 %');
  await progress.step('Packages', async (note) => {
    note('installing');
    return { value: undefined };
  });
  assert.equal(text(), '· Packages: installing\n✔ Packages  0.25 s\n');
});

test('durations and sizes are written for people', () => {
  assert.deepEqual([40, 1260, 59_940, 125_400].map(formatDuration), [
    '0.04 s',
    '1.3 s',
    '59.9 s',
    '2 min 5 s',
  ]);
  assert.deepEqual([512, 15_400_000, 999_960, 2.5e12].map(formatBytes), [
    '512 B',
    '15.4 MB',
    '1.0 MB',
    '2.5 TB',
  ]);
});
