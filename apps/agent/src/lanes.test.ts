import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeLanes } from './lanes.ts';

const never = new AbortController().signal;

test('tasks of one key run one at a time in the order they came', async () => {
  const lanes = makeLanes();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = lanes.run('vm', never, async () => {
    order.push('first starts');
    await gate.promise;
    order.push('first ends');
  });
  const second = lanes.run('vm', never, async () => {
    order.push('second starts');
  });
  await lanes.run('another', never, async () => {
    order.push('another runs meanwhile');
  });
  gate.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(order, ['first starts', 'another runs meanwhile', 'first ends', 'second starts']);
});

test('a failed task does not stop those behind it', async () => {
  const lanes = makeLanes();
  const failing = lanes.run('vm', never, () => Promise.reject(new Error('no')));
  const next = lanes.run('vm', never, async () => 'ran');
  await assert.rejects(failing, /no/);
  assert.equal(await next, 'ran');
});

test('giving up while waiting neither runs the task nor lets the next one overtake the running one', async () => {
  const lanes = makeLanes();
  const gate = Promise.withResolvers<void>();
  const events: string[] = [];
  const first = lanes.run('vm', never, async () => {
    await gate.promise;
    events.push('first ends');
  });
  const controller = new AbortController();
  const second = lanes.run('vm', controller.signal, async () => {
    events.push('second runs');
  });
  const third = lanes.run('vm', never, async () => {
    events.push('third runs');
  });
  controller.abort(new Error('given up'));
  await assert.rejects(second, /given up/);
  await new Promise(setImmediate);
  gate.resolve();
  await Promise.all([first, third]);
  assert.deepEqual(events, ['first ends', 'third runs']);
});
