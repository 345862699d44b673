import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Output, printable, printableLines } from './console.ts';
import { makeLiveLine } from './live-line.ts';
import { formatBytes, formatDuration, formatPart, formatRate, formatSeconds } from './quantities.ts';

test('control characters, escape sequences and text direction marks never reach the terminal', () => {
  assert.equal(printable('a\u001b[2Jb\u0007c\u009bd\u202ee'), 'a�[2Jb�c�d�e');
  assert.equal(printable('one\ttwo\r\nthree'), 'one two three');
  assert.equal(printable('Zürich · 東京 → ✓'), 'Zürich · 東京 → ✓');
  assert.equal(printableLines('a\u001b\r\nb'), 'a�\nb');
});

for (const [actual, expected] of [
  [formatBytes(0), '0 B'],
  [formatBytes(999), '999 B'],
  [formatBytes(45_000_000), '45.0 MB'],
  [formatBytes(999_950), '1.0 MB'],
  [formatPart(12_345_678, 45_000_000), '12.3/45.0 MB'],
  [formatPart(12_345_678, undefined), '12.3 MB'],
  [formatPart(5, 0), '5 B'],
  [formatRate(40_000_000), '40 MB/s'],
  [formatRate(1_500_000), '1.5 MB/s'],
  [formatRate(120), '120 B/s'],
  [formatDuration(340), '340 ms'],
  [formatDuration(1234), '1.2 s'],
  [formatDuration(59_000), '59 s'],
  [formatDuration(125_000), '2 min 5 s'],
  [formatSeconds(0.2), '0 s'],
  [formatSeconds(12_000), '3 h 20 min'],
] as const) {
  test(`a quantity is written ${expected}`, () => assert.equal(actual, expected));
}

function recording(isTty: boolean, columns = 20) {
  let text = '';
  const output: Output = {
    isTty,
    columns,
    write: (part) => {
      text += part;
    },
  };
  return { output, text: () => text };
}

test('a live line is rewritten in place, kept below printed lines and taken away at the end', () => {
  const { output, text } = recording(true);
  const live = makeLiveLine(output);
  live.show('one');
  live.show('one');
  live.show('two');
  live.print('stays');
  live.clear();
  live.print('last');
  assert.equal(text(), 'one\r\u001b[2Ktwo\r\u001b[2Kstays\ntwo\r\u001b[2Klast\n');
});

test('a live line is cut to the terminal so that it never wraps', () => {
  const { output, text } = recording(true, 12);
  makeLiveLine(output).show('transferring 12%');
  assert.equal(text(), 'transferri…');
});

test('without a terminal only the lines that stay are printed', () => {
  const { output, text } = recording(false);
  const live = makeLiveLine(output);
  live.show('one');
  live.print('stays');
  live.clear();
  assert.equal(text(), 'stays\n');
});
