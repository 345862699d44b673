import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entryOf, nfsToolFault } from './nfs-tools.ts';

const listing = `-rw-------  1     0     0            5 plain
drwxr-xr-x  2     0     0         4096 sub
lrwxrwxrwx  1     0     0            5 link
-rw-r--r--  1 65534    -2 629145600000 with  two spaces
-rw-r--r--  1     0     0           -1 negative
p---------  1     0     0            0 fifo
`;

test('a name is found in a listing whole or not at all', () => {
  assert.deepEqual(entryOf(listing, 'plain'), { kind: 'file', sizeBytes: 5 });
  assert.deepEqual(entryOf(listing, 'sub'), { kind: 'directory', sizeBytes: 4096 });
  assert.deepEqual(entryOf(listing, 'link'), { kind: 'other', sizeBytes: 5 });
  assert.deepEqual(entryOf(listing, 'with  two spaces'), { kind: 'file', sizeBytes: 629_145_600_000 });
  for (const name of ['lain', 'two spaces', 'negative', 'fifo', '']) {
    assert.equal(entryOf(listing, name), undefined, name);
  }
});

test('what libnfs complains about becomes a fault that shows one line', () => {
  for (const [complaint, code] of [
    [
      'Failed to open file /x: open call failed with "NFS: Lookup of /x failed with NFS3ERR_NOENT(-2)"\nFailed to open nfs://192.0.2.7/x',
      'SOURCE_NOT_FOUND',
    ],
    [
      'Failed to mount nfs share : mount_cb: NFS4: (path /vol) failed with NFS4ERR_NOENT(-2)',
      'SOURCE_NOT_FOUND',
    ],
    [
      'Failed to mount nfs share : mount_cb: RPC error: Mount failed with error MNT3ERR_ACCES(13) Permission denied(13)',
      'SOURCE_DENIED',
    ],
    [
      'Failed to open file /x: open call failed with "NFS: ACCESS denied. Required access r--. Allowed access ---"',
      'SOURCE_DENIED',
    ],
    ['Failed to read from file', 'TRANSFER_CUT'],
    ['Failed to mount nfs share : RPC error. Program is not available on 192.0.2.7', 'SOURCE_UNEXPECTED'],
    ['', 'SOURCE_UNEXPECTED'],
  ] as const) {
    const fault = nfsToolFault(complaint);
    assert.equal(fault.code, code, complaint);
    assert.doesNotMatch(fault.message, /[\n]|nfs:\/\//);
  }
  assert.ok(nfsToolFault(`x\u001b[31m${'y'.repeat(5000)}`).message.length < 400);
});
