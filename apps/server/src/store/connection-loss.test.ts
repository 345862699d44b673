import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPassing, patienceDelayMs, withPatience } from './connection-loss.ts';

const errorWith = (fields: object, message = 'x') => Object.assign(new Error(message), fields);

const passing: [string, Error][] = [
  ['the server is shut down by its administrator', errorWith({ code: '57P01' })],
  ['another backend crashed', errorWith({ code: '57P02' })],
  ['the server is starting up', errorWith({ code: '57P03' })],
  ['the connection broke', errorWith({ code: '08006' })],
  ['nobody listens', errorWith({ code: 'ECONNREFUSED' })],
  ['the unix socket is gone', errorWith({ code: 'ENOENT', syscall: 'connect' })],
  ['the answer never came', new Error('Connection terminated unexpectedly')],
  ['no connection was free', new Error('timeout exceeded when trying to connect')],
  ['two transactions collided', errorWith({ code: '40P01' })],
  ['every address refused', new AggregateError([errorWith({ code: 'ECONNREFUSED' })])],
  ['it is the cause of something', new Error('outer', { cause: errorWith({ code: '57P03' }) })],
];
for (const [name, error] of passing) {
  test(`waiting helps when ${name}`, () => assert.equal(isPassing(error), true));
}

const lasting: [string, unknown][] = [
  ['a row is there twice', errorWith({ code: '23505' })],
  ['a table is missing', errorWith({ code: '42P01' })],
  ['a file is missing', errorWith({ code: 'ENOENT', syscall: 'open' })],
  ['there is a bug', new TypeError('undefined is not a function')],
  ['no error was thrown', 'text'],
];
for (const [name, error] of lasting) {
  test(`waiting does not help when ${name}`, () => assert.equal(isPassing(error), false));
}

test('patience grows to two seconds and no further', () => {
  assert.deepEqual([0, 1, 4, 5, 100].map(patienceDelayMs), [100, 200, 1600, 2000, 2000]);
});

test('work is repeated until the database is back, and other errors come through', async () => {
  const { signal } = new AbortController();
  let count = 0;
  const result = await withPatience(
    async () => {
      if (++count < 3) throw errorWith({ code: '57P03' });
      return 'done';
    },
    { signal },
  );
  assert.equal(result, 'done');
  assert.equal(count, 3);
  await assert.rejects(
    withPatience(() => Promise.reject(errorWith({ code: '23505' }, 'twice')), { signal }),
    /twice/,
  );
});

test('an aborted signal ends the waiting with its reason', async () => {
  const controller = new AbortController();
  const waiting = withPatience(() => Promise.reject(errorWith({ code: '57P03' })), {
    signal: controller.signal,
  });
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
});
