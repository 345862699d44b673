import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pick, randomFrom } from './random.ts';
import { faultRows } from './rows.ts';

const rowsOf = (seed: number) => {
  const random = randomFrom(seed);
  return Array.from({ length: 1000 }, () => faultRows.indexOf(pick(random, faultRows)));
};

test('the same seed brings the same rows, another seed others', () => {
  assert.deepEqual(rowsOf(7), rowsOf(7));
  assert.notDeepEqual(rowsOf(7), rowsOf(8));
});

test('a thousand picks come to every row of the table', () => {
  assert.equal(new Set(rowsOf(1)).size, faultRows.length);
});
