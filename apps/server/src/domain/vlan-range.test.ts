import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeVlan, isInRange, parseVlanRange, readVlan } from './vlan-range.ts';

test('ranges of VLANs are read as operators write them', () => {
  assert.deepEqual(parseVlanRange('100-199, 300'), [
    [100, 199],
    [300, 300],
  ]);
  for (const bad of ['', '0-5', '10-4095', '20-10', 'a', '1-2-3', '100,'])
    assert.throws(() => parseVlanRange(bad), /vlan/, bad);
});

test('the lowest free VLAN is taken', () => {
  const range = parseVlanRange('300,100-102');
  assert.equal(freeVlan(range, new Set()), 100);
  assert.equal(freeVlan(range, new Set([100, 101])), 102);
  assert.equal(freeVlan(range, new Set([100, 101, 102])), 300);
  assert.equal(freeVlan(range, new Set([100, 101, 102, 300])), undefined);
  assert.equal(isInRange(range, 300), true);
  assert.equal(isInRange(range, 103), false);
});

test('a VLAN has several spellings', () => {
  assert.equal(readVlan('vlan://42'), 42);
  assert.equal(readVlan('42'), 42);
  assert.equal(readVlan('Untagged'), 'untagged');
  for (const bad of ['0', '4095', 'vlan', '1.5', 'vxlan://5'])
    assert.throws(() => readVlan(bad), /vlan/, bad);
});
