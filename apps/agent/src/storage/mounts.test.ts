import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findMount, mountOf } from './mounts.ts';

const table = `22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:30 / /mnt/shared rw,nosuid master:2 - nfs4 nas:/old rw
31 30 0:31 / /mnt/shared rw,nosuid - nfs4 nas:/primary rw,vers=4.1
32 22 0:32 / /mnt/a\\040b rw - fuse.nfs [fd00::5]:/p\\040q rw
`;

test('the topmost mount of the very directory is found, names with spaces too', () => {
  assert.deepEqual(findMount(table, '/mnt/shared'), { type: 'nfs4', source: 'nas:/primary' });
  assert.deepEqual(findMount(table, '/mnt/a b'), { type: 'fuse.nfs', source: '[fd00::5]:/p q' });
  assert.equal(findMount(table, '/mnt'), undefined);
  assert.equal(findMount(table, '/mnt/shared/sub'), undefined);
});

test('the kernel’s own table is read', async () => {
  assert.equal((await mountOf('/proc'))?.type, 'proc');
  assert.equal(await mountOf('/nowhere'), undefined);
});
