import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testNetwork } from '../testing/vm.ts';
import {
  addressingOf,
  networkXml,
  reservationChange,
  reservationsOf,
  reservationXml,
} from './network-xml.ts';
import { joinScopes, parseNetwork } from './networks.ts';

/** What `virsh net-dumpxml` of libvirt 9.0 prints for such a network. */
const described = `<network>
  <name>millrace-net</name>
  <uuid>7f0c1f1e-3d55-4a0e-9a38-1c1f0a5a7b11</uuid>
  <forward mode='nat'>
    <nat>
      <port start='1024' end='65535'/>
    </nat>
  </forward>
  <bridge name='mlr0' stp='on' delay='0'/>
  <mac address='52:54:00:ae:41:5a'/>
  <ip address='10.77.0.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='10.77.0.10' end='10.77.0.100'/>
      <host mac='52:54:00:00:00:01' name='one' ip='10.77.0.11'/>
      <host mac='52:54:00:00:00:03' ip='10.77.0.13'/>
    </dhcp>
  </ip>
</network>
`;

test('a network is recognised in libvirt’s own description of it, and another one is not', () => {
  assert.equal(addressingOf(described), addressingOf(testNetwork));
  assert.equal(addressingOf(networkXml(testNetwork)), addressingOf(testNetwork));
  assert.notEqual(addressingOf({ ...testNetwork, rangeEnd: '10.77.0.99' }), addressingOf(described));
  assert.notEqual(addressingOf({ ...testNetwork, bridge: 'mlr1' }), addressingOf(described));
});

test('reservations are read from libvirt’s description', () => {
  assert.deepEqual(reservationsOf(described), [
    { mac: '52:54:00:00:00:01', name: 'one', ip: '10.77.0.11' },
    { mac: '52:54:00:00:00:03', name: undefined, ip: '10.77.0.13' },
  ]);
});

const one = { mac: '52:54:00:00:00:01', name: 'one', ip: '10.77.0.11' };
const two = { mac: '52:54:00:00:00:02', name: 'two', ip: '10.77.0.12' };

test('what is reserved already is left alone', () => {
  assert.deepEqual(reservationChange([one, two], one), { remove: [], add: undefined });
});

test('a card with another address or name gets the new one', () => {
  const moved = { ...one, ip: '10.77.0.50' };
  assert.deepEqual(reservationChange([one, two], moved), { remove: [one], add: moved });
  const renamed = { ...one, name: 'uno' };
  assert.deepEqual(reservationChange([one, two], renamed), { remove: [one], add: renamed });
});

test('stale entries of the card and of the address both go', () => {
  const wanted = { ...one, ip: two.ip };
  assert.deepEqual(reservationChange([one, two], wanted), { remove: [one, two], add: wanted });
});

test('a name that another card holds stays with it', () => {
  const wanted = { mac: '52:54:00:00:00:09', name: 'one', ip: '10.77.0.19' };
  const change = reservationChange([one, two], wanted);
  assert.deepEqual(change, { remove: [], add: { mac: wanted.mac, ip: wanted.ip } });
  assert.deepEqual(reservationChange([one, two, change.add!], wanted), { remove: [], add: undefined });
  assert.equal(reservationXml(change.add!), "<host mac='52:54:00:00:00:09' ip='10.77.0.19'/>");
});

test('what has to change in both of libvirt’s descriptions is changed at once, what differs apart', () => {
  const add = { remove: [], add: one };
  assert.deepEqual(
    joinScopes([
      { scope: '--live', ...add },
      { scope: '--config', ...add },
    ]),
    [{ ...add, scopes: ['--live', '--config'] }],
  );
  const nothing = { remove: [], add: undefined };
  assert.deepEqual(
    joinScopes([
      { scope: '--live', ...nothing },
      { scope: '--config', ...add },
    ]),
    [
      { ...nothing, scopes: ['--live'] },
      { ...add, scopes: ['--config'] },
    ],
  );
});

test('whether a network runs, and what it has reserved on disk and running, comes from one look', () => {
  const saved = described.replace(/ *<host mac='52:54:00:00:00:03'.*\n/, '');
  const running = parseNetwork(`default\nmillrace-net\n\n${saved}\n${described}\n`, 'millrace-net');
  assert.equal(running.active, true);
  assert.deepEqual(
    running.scopes.map(({ scope, present }) => [scope, present.length]),
    [
      ['--live', 2],
      ['--config', 1],
    ],
  );
  const stopped = parseNetwork(`millrace-net-2\n\n${saved}\n${saved}\n`, 'millrace-net');
  assert.equal(stopped.active, false);
  assert.deepEqual(
    stopped.scopes.map(({ scope }) => scope),
    ['--config'],
  );
  assert.throws(() => parseNetwork(`millrace-net\n\n${saved}\n`, 'millrace-net'), {
    code: 'NETWORK_UNAVAILABLE',
  });
});

test('a bridge to the network around the host is recognised, and another one is not', () => {
  const bridged = {
    uuid: testNetwork.uuid,
    kind: 'bridge',
    name: 'mlr-net',
    bridge: 'mlv1-100',
    uplink: 'eth1',
    vlan: 100,
  } as const;
  const described = networkXml(bridged);
  assert.match(described, /<forward mode='bridge'\/>\s*<bridge name='mlv1-100'\/>/);
  assert.doesNotMatch(described, /<ip |<dhcp/);
  assert.equal(addressingOf(described), addressingOf(bridged));
  assert.notEqual(addressingOf(described), addressingOf({ ...bridged, bridge: 'mlv1-101' }));
  assert.notEqual(addressingOf(described), addressingOf(testNetwork));
});
