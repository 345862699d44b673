import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRange } from './byte-range.ts';

const file = { size: 100, tag: '"a"' };

test('a range of bytes is read as RFC 9110 has it', () => {
  assert.deepEqual(readRange({ range: 'bytes=0-9' }, file), { start: 0, end: 9 });
  assert.deepEqual(readRange({ range: 'bytes=90-' }, file), { start: 90, end: 99 });
  assert.deepEqual(readRange({ range: 'bytes=90-500' }, file), { start: 90, end: 99 });
  assert.deepEqual(readRange({ range: 'bytes=-10' }, file), { start: 90, end: 99 });
  assert.deepEqual(readRange({ range: 'bytes=-500' }, file), { start: 0, end: 99 });
});

test('a range behind the end cannot be satisfied', () => {
  assert.equal(readRange({ range: 'bytes=100-' }, file), 'unsatisfiable');
  assert.equal(readRange({ range: 'bytes=9-3' }, file), 'unsatisfiable');
});

test('whatever else is asked for gets the whole file', () => {
  for (const range of [undefined, 'bytes=-', 'bytes=1-2,5-6', 'lines=1-2']) {
    assert.equal(readRange({ range }, file), undefined);
  }
  assert.equal(readRange({ range: 'bytes=5-', 'if-range': '"b"' }, file), undefined);
  assert.deepEqual(readRange({ range: 'bytes=5-', 'if-range': '"a"' }, file), { start: 5, end: 99 });
});
