import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { openRbdDevice } from './rbd-device.ts';
import { rbdImages } from './rbd-images.ts';
import type { RbdPool } from './rbd-pool.ts';

test('a key that Ceph cannot read is told to nobody, though Ceph prints it', async () => {
  const pool: RbdPool = { monitors: ['127.0.0.1:1'], pool: 'p', user: 'u', secret: 'bm90IGEga2V5' };
  const { signal } = new AbortController();
  for (const attempt of [() => rbdImages(pool, signal).list(), () => openRbdDevice(pool, 'image', signal)])
    await assert.rejects(attempt, (error) => {
      const told = inspect(error, { depth: 9 });
      assert.match(told, /POOL_UNAVAILABLE/);
      assert.ok(!told.includes(pool.secret), told);
      return true;
    });
  await assert.rejects(rbdImages(pool, signal).list(), /\(the key\)/);
});
