import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverMethods } from '@millrace/agent-protocol';
import { silentLogger } from '@millrace/core';
import { addressesOf, hostFacts, hostLoad, parseVersion } from './facts.ts';

test('the hypervisor’s version is the running QEMU’s, with libvirt’s', () => {
  const printed =
    'Compiled against library: libvirt 9.0.0\nUsing library: libvirt 9.0.0\nUsing API: QEMU 9.0.0\nRunning hypervisor: QEMU 7.2.22\n';
  assert.equal(parseVersion(printed), 'QEMU 7.2.22, libvirt 9.0.0');
  assert.equal(parseVersion('no such thing'), 'unknown');
});

test('addresses are told without loopback and link-local ones, IPv4 first', () => {
  const entry = (family: 'IPv4' | 'IPv6', address: string, internal = false) =>
    ({
      family,
      address,
      internal,
      netmask: '',
      mac: '',
      cidr: null,
      ...(family === 'IPv6' ? { scopeid: 0 } : {}),
    }) as never;
  const interfaces = {
    lo: [entry('IPv4', '127.0.0.1', true), entry('IPv6', '::1', true)],
    eth0: [entry('IPv6', '2001:db8::1'), entry('IPv6', 'fe80::1'), entry('IPv4', '192.0.2.1')],
    eth1: [entry('IPv4', '169.254.1.1')],
  };
  assert.deepEqual(addressesOf(interfaces), ['192.0.2.1', '2001:db8::1']);
});

test('this host’s own facts and load fit the protocol; a pool that is not there is left out', async () => {
  const { signal } = new AbortController();
  const deps = {
    virsh: async () => '',
    virtType: 'qemu' as const,
    poolPath: '/',
    role: 'host' as const,
    imageServer: () => undefined,
    log: silentLogger,
  };
  const facts = serverMethods['host.hello'].params.parse({ ...(await hostFacts(deps, signal)), vms: [] });
  assert.ok(facts.cpus > 0 && facts.memoryBytes > 0 && facts.localPool!.capacityBytes > 0);
  assert.ok(serverMethods['host.heartbeat'].params.parse(await hostLoad(deps)).memoryFreeBytes > 0);
  const without = await hostFacts({ ...deps, poolPath: '/no/such/pool' }, signal);
  assert.equal(without.localPool, undefined);
});
