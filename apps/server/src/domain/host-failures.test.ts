import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageForUsers } from './host-failures.ts';

test('what a host says of its inside is not told to tenants; what it says of the image is', () => {
  const inside = "ENOENT: no such file or directory, open '/srv/secret/x.qcow2'";
  for (const code of ['AGENT_FAULT', 'POOL_UNAVAILABLE', 'LIBVIRT_FAILED', 'QEMU_IMG_FAILED', 'UNEXPECTED']) {
    assert.equal(messageForUsers(code, inside).includes('/srv'), false, code);
  }
  assert.equal(messageForUsers('DIGEST_MISMATCH', 'SHA-256 is 12'), 'SHA-256 is 12');
  assert.equal(messageForUsers(null, 'as it is'), 'as it is');
});
