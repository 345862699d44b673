import assert from 'node:assert/strict';
import test from 'node:test';
import { mountPoints, runtimePaths } from './mounts.ts';

test('mount points are read with their escapes undone', () => {
  const text = [
    '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
    '40 22 254:0 /var/pool /run/millrace/0a1b2c3d/pool rw,relatime - ext4 /dev/vda rw',
    '41 22 0:40 / /mnt/with\\040space rw - tmpfs tmpfs rw',
    '',
  ].join('\n');
  assert.deepEqual(mountPoints(text), ['/', '/run/millrace/0a1b2c3d/pool', '/mnt/with space']);
});

test('two instances never share a path', () => {
  assert.equal(runtimePaths('0a1b2c3d').pool, '/run/millrace/0a1b2c3d/pool');
  assert.notEqual(runtimePaths('0a1b2c3d').postgres, runtimePaths('0a1b2c3e').postgres);
});
