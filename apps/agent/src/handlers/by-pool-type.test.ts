import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTestVm } from '../testing/vm.ts';
import { byPoolType } from './by-pool-type.ts';

const uuid = '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77';
const directory = { uuid, type: 'Filesystem' as const, path: '/pool' };
const secret = 'AQtopsecret==';
const rbd = {
  uuid,
  type: 'RBD' as const,
  path: 'primary',
  rbd: { monitors: ['mon'], user: 'cloud', secret },
};
const context = { id: 'a', signal: new AbortController().signal, progress: () => {} } as never;

function table() {
  const done: string[] = [];
  const noting = (name: string) => async () => void done.push(name);
  // the part of the table that the test calls
  const handlers = {
    'volume.remove': noting('file'),
    'template.check': noting('check'),
    'pool.stats': noting('stats'),
    'vm.start': noting('start'),
  };
  return { done, handlers: byPoolType(handlers as never, { 'volume.remove': noting('image') } as never) };
}

test('what concerns an RBD pool goes to its own handlers, and to those that know every type', async () => {
  const { done, handlers } = table();
  await handlers['volume.remove']({ pool: directory, path: 'x' }, context);
  await handlers['volume.remove']({ pool: rbd, path: 'x' }, context);
  await handlers['pool.stats']({ pool: rbd }, context);
  await handlers['vm.start']({ vm: makeTestVm({ pool: rbd }) }, context);
  assert.deepEqual(done, ['file', 'image', 'stats', 'start']);
});

test('what cannot be done on an RBD pool is refused by name, without its secret, and nothing happens', () => {
  const { done, handlers } = table();
  const params = { pool: rbd, path: 'x' } as never;
  assert.throws(
    () => handlers['template.check'](params, context),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'POOL_TYPE_UNSUPPORTED');
      assert.match(error.message, /template\.check cannot be done on an RBD pool/);
      return !error.message.includes(secret);
    },
  );
  assert.deepEqual(done, []);
});
