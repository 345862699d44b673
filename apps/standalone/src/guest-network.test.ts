import assert from 'node:assert/strict';
import test from 'node:test';
import { addressRanges, freeNetwork, routeRanges } from './guest-network.ts';

test('a free network starts where the instance id points', () => {
  assert.deepEqual(freeNetwork('2a10beef', []), {
    libvirtName: 'millrace-2a10beef',
    bridge: 'mlr2a10be',
    cidr: '10.42.16.0/24',
    gateway: '10.42.16.1',
    netmask: '255.255.255.0',
    startIp: '10.42.16.10',
    endIp: '10.42.16.250',
  });
});

test('ranges that an address or a route of the machine takes are passed over', () => {
  const taken = [
    ...addressRanges([{ ifname: 'eth0', addr_info: [{ local: '10.42.16.77', prefixlen: 23 }] }]),
    ...routeRanges([
      { dst: 'default', gateway: '10.42.16.1' },
      { dst: '10.42.18.0/24' },
      { dst: '10.42.19.9' },
    ]),
  ];
  assert.equal(freeNetwork('2a10beef', taken).cidr, '10.42.20.0/24');
});

test('a machine on all of 10.0.0.0/8 has no room, which is an error', () => {
  assert.throws(() => freeNetwork('2a10beef', routeRanges([{ dst: '10.0.0.0/8' }])), /is free/);
});

test('ranges are never those that people use by hand, and the search wraps around', () => {
  assert.equal(freeNetwork('00000000', []).cidr, '10.1.1.0/24');
  assert.equal(freeNetwork('ffffbeef', routeRanges([{ dst: '10.255.255.0/24' }])).cidr, '10.1.1.0/24');
});

test('addresses of other families and odd output take nothing', () => {
  assert.deepEqual(addressRanges([{ addr_info: [{ local: 'fe80::1', prefixlen: 64 }] }]), []);
  assert.deepEqual(addressRanges('nonsense'), []);
  assert.deepEqual(routeRanges([{ dst: 'fd00::/8' }]), []);
});
