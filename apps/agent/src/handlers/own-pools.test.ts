import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeLanes } from '../lanes.ts';
import { makePoolAccess } from '../storage/pool-access.ts';
import { makeTestVm } from '../testing/vm.ts';
import { onlyInOwnPools } from './own-pools.ts';

const context = { id: 'a', signal: new AbortController().signal, progress: () => {} } as never;
const pool = (path: string) => ({
  uuid: '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77',
  type: 'Filesystem' as const,
  path,
});

function guarded(poolPath: string | undefined) {
  const done: string[] = [];
  const handlers = {
    'template.remove': async () => void done.push('template.remove'),
    'vm.start': async () => void done.push('vm.start'),
    'vm.stop': async () => void done.push('vm.stop'),
  };
  // the part of the table that the test calls
  const access = makePoolAccess({
    lanes: makeLanes(),
    poolPath,
    sharedPaths: ['/shared'],
    storePaths: [],
    mountDirectory: '/mounts',
  });
  return { done, handlers: onlyInOwnPools(access, handlers as never) };
}

test('a server that was taken over removes nothing outside of the pool of this host', async () => {
  for (const path of ['/etc', '/', '/pool/../etc', '/pool/sub', '/poolx']) {
    const { done, handlers } = guarded('/pool');
    const removal = handlers['template.remove']({ pool: pool(path), installPath: 'passwd' }, context);
    await assert.rejects(removal, { code: 'POOL_UNAVAILABLE' }, path);
    await assert.rejects(handlers['vm.start']({ vm: makeTestVm({ pool: pool(path) }) }, context), {
      code: 'POOL_UNAVAILABLE',
    });
    assert.deepEqual(done, []);
  }
});

test('in the pool of this host, however its path is spelled, and without any pool everything happens', async () => {
  const { done, handlers } = guarded('/pool');
  await handlers['template.remove']({ pool: pool('/pool/'), installPath: 'x' }, context);
  await handlers['vm.start']({ vm: makeTestVm({ pool: pool('/pool') }) }, context);
  const vm = { uuid: makeTestVm().uuid, instanceName: 'i-2-3-VM' };
  await handlers['vm.stop']({ vm, forced: true, timeoutSeconds: 1 }, context);
  assert.deepEqual(done, ['template.remove', 'vm.start', 'vm.stop']);
});

test('a host whose operator gave it no pool has none', async () => {
  const { handlers } = guarded(undefined);
  await assert.rejects(handlers['template.remove']({ pool: pool('/pool'), installPath: 'x' }, context), {
    code: 'POOL_UNAVAILABLE',
    message: /MILLRACE_POOL_PATH/,
  });
});

test('a shared directory that the operator does not offer, or on which nothing is mounted, is no pool', async () => {
  const { done, handlers } = guarded('/pool');
  const shared = (path: string) => ({ ...pool(path), type: 'SharedMountPoint' as const });
  for (const [path, message] of [
    ['/etc', /MILLRACE_SHARED_PATHS/],
    ['/shared/../etc', /MILLRACE_SHARED_PATHS/],
    ['/shared', /nothing is mounted on \/shared/],
  ] as const) {
    const removal = handlers['template.remove']({ pool: shared(path), installPath: 'passwd' }, context);
    await assert.rejects(removal, { code: 'POOL_UNAVAILABLE', message });
  }
  assert.deepEqual(done, []);
});
