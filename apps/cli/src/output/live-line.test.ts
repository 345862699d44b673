import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeLiveLine } from './live-line.ts';

const up = '\u001b[1A\u001b[2K';

function terminal() {
  const written: string[] = [];
  const output = { isTty: true, columns: 20, write: (text: string) => void written.push(text) };
  return { written, live: makeLiveLine(output) };
}

test('several lines are rewritten in place, and taken away whole', () => {
  const { written, live } = terminal();
  live.show(['total', '  one', '  two']);
  live.show(['total', '  one']);
  live.clear();
  assert.deepEqual(written, [
    'total\n  one\n  two',
    `\r\u001b[2K${up}${up}`,
    'total\n  one',
    `\r\u001b[2K${up}`,
  ]);
});

test('a line that stays is printed above all of them', () => {
  const { written, live } = terminal();
  live.show(['total', '  one']);
  live.print('told');
  assert.deepEqual(written.slice(1), [`\r\u001b[2K${up}`, 'told\n', 'total\n  one']);
});

test('lines are cut where they would wrap', () => {
  const { written, live } = terminal();
  live.show(['x'.repeat(50)]);
  assert.ok(written[0]!.length <= 19);
});
