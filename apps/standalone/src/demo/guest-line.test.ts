import assert from 'node:assert/strict';
import test from 'node:test';
import { findGuestLine } from './guest-line.ts';

test('the guest’s line is found among what else a console shows, and only when it is whole', () => {
  const before = 'SYSLINUX 6.04\r\n\x1b[6n';
  const line = 'MILLRACE-GUEST: ready host=demo-1 ip=10.1.2.3';
  assert.equal(findGuestLine(`${before}${line}`), undefined);
  assert.equal(findGuestLine(`${before}${line}\r\n/ # `), line);
  assert.equal(findGuestLine(''), undefined);
});
