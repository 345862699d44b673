import assert from 'node:assert/strict';
import test from 'node:test';
import { masterBootRecord } from './boot-disk.ts';

test('the boot record has the boot code, one active partition from the first mebibyte and the signature', () => {
  const record = masterBootRecord(Buffer.from([0xfa, 0x31]), 20 * 1024 * 1024);
  assert.equal(record.length, 512);
  assert.deepEqual([...record.subarray(0, 3)], [0xfa, 0x31, 0]);
  assert.equal(record[446], 0x80);
  assert.equal(record[450], 0x0e);
  assert.equal(record.readUInt32LE(454), 2048);
  assert.equal(record.readUInt32LE(458), 40960);
  assert.deepEqual([...record.subarray(462, 510)], new Array(48).fill(0));
  assert.deepEqual([...record.subarray(510)], [0x55, 0xaa]);
});

test('boot code that would overwrite the partition table is refused', () => {
  assert.throws(() => masterBootRecord(Buffer.alloc(441), 1024 * 1024), /at most 440/);
});
