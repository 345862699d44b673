import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reconnectDelayMs } from './backoff.ts';

test('the wait doubles from 200 ms to 5 s and is spread over half of itself', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 60].map((attempt) => [
      reconnectDelayMs(attempt, 0),
      reconnectDelayMs(attempt, 0.9999),
    ]),
    [
      [100, 200],
      [200, 400],
      [400, 800],
      [800, 1600],
      [1600, 3200],
      [2500, 5000],
      [2500, 5000],
      [2500, 5000],
    ],
  );
});
