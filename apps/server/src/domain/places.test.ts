import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocationState, cidrOf, demandSubnet, prefixLength } from './places.ts';

test('a netmask is ones before zeros', () => {
  assert.equal(prefixLength('255.255.255.0'), 24);
  assert.equal(prefixLength('255.255.255.252'), 30);
  for (const bad of ['255.0.255.0', '0.0.0.0', '255.255.255.255', '1.2.3', 'x'])
    assert.throws(() => prefixLength(bad), /netmask/, bad);
});

test('the network of a gateway', () => {
  assert.equal(cidrOf('10.1.2.3', '255.255.255.0'), '10.1.2.0/24');
  assert.equal(cidrOf('192.168.255.254', '255.255.128.0'), '192.168.128.0/17');
});

const good = { gateway: '10.1.2.1', netmask: '255.255.255.0', startIp: '10.1.2.10', endIp: '10.1.2.20' };

test('a range lies in its network, in order, and without its gateway', () => {
  demandSubnet(good);
  demandSubnet({ ...good, startIp: undefined, endIp: undefined });
  demandSubnet({ ...good, endIp: undefined });
  for (const [change, rule] of [
    [{ gateway: '10.1.2.0' }, /gateway/],
    [{ gateway: '10.1.2.15' }, /gateway.*between/],
    [{ startIp: '10.1.3.1' }, /startip/],
    [{ endIp: '10.1.2.255' }, /endip/],
    [{ endIp: '10.1.2.9' }, /endip.*before/],
    [{ startIp: undefined }, /startip.*together/],
    [{ endIp: 'ten' }, /endip.*IPv4/],
  ] as const)
    assert.throws(() => demandSubnet({ ...good, ...change }), rule, JSON.stringify(change));
});

test('allocation states are two words, in any case of letters', () => {
  assert.equal(allocationState('ENABLED'), 'Enabled');
  assert.equal(allocationState(undefined), undefined);
  assert.throws(() => allocationState('on'), /allocationstate/);
});
