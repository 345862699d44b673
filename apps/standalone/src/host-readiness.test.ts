import assert from 'node:assert/strict';
import test from 'node:test';
import { groupId, withoutAddedLines } from './host-readiness.ts';

test('only the line that Millrace added is taken out of the hosts file', () => {
  const added = '127.0.1.1 box # added by Millrace: libvirt looks this name up at every start of a VM';
  const own = '127.0.0.1 localhost\n# my own\n10.0.0.1 millrace\n';
  assert.equal(withoutAddedLines(`${own}${added}\n`), own);
  assert.equal(withoutAddedLines(own), own);
});

test('a group is found by its whole name', () => {
  const groups = 'root:x:0:\nkvmx:x:7:\nkvm:x:107:libvirt-qemu\n';
  assert.equal(groupId(groups, 'kvm'), 107);
  assert.equal(groupId(groups, 'video'), undefined);
});
