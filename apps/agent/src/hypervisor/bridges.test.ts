import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '@millrace/core';
import { makeBridges } from './bridges.ts';

const { signal } = new AbortController();
const network = {
  uuid: '7f0c1f1e-3d55-4a0e-9a38-1c1f0a5a7b11',
  kind: 'bridge',
  name: 'mlr-net',
  bridge: 'mlv1-100',
  uplink: 'eth1',
  vlan: 100,
} as const;

/** Network devices as the kernel tells of them, and what is asked of `ip`, which makes and deletes them. */
async function withDevices(t: TestContext) {
  const devices = await mkdtemp(join(tmpdir(), 'millrace-devices-'));
  t.after(() => rm(devices, { recursive: true }));
  const add = (name: string, ...inside: string[]) =>
    Promise.all([
      mkdir(join(devices, name)),
      ...inside.map((path) => mkdir(join(devices, name, path), { recursive: true })),
    ]);
  const asked: string[] = [];
  const ip = async (args: readonly string[]) => {
    asked.push(args.join(' '));
    const name = args[args.indexOf('name') + 1] ?? '';
    if (args[1] === 'add') await mkdir(join(devices, name));
    if (args[1] === 'delete') await rm(join(devices, args[2]!), { recursive: true });
  };
  return { add, asked, devices, bridges: makeBridges({ log: silentLogger, devices, ip }) };
}

const made = (parent: string) => [
  `link add link ${parent} name mlv1-100.v type vlan id 100`,
  'link set mlv1-100.v up',
  'link add name mlv1-100 type bridge stp_state 0 forward_delay 0',
  'link set mlv1-100 up',
  'link set mlv1-100.v master mlv1-100',
];

test('a VLAN of a card gets a bridge with a VLAN device of the card, once', async (t) => {
  const { add, asked, bridges } = await withDevices(t);
  await add('eth1');
  await bridges.ensure(network, signal);
  assert.deepEqual(asked.splice(0), made('eth1'));
  await bridges.ensure(network, signal);
  assert.deepEqual(
    asked.splice(0),
    made('eth1').filter((command) => !command.startsWith('link add')),
  );
  await bridges.remove(network, signal);
  await bridges.remove(network, signal);
  assert.deepEqual(asked, ['link delete mlv1-100', 'link delete mlv1-100.v']);
});

test('of a bridge with one card and guests the card carries the VLAN, of one with several the bridge', async (t) => {
  const { add, asked, devices, bridges } = await withDevices(t);
  await add('eth1', 'bridge', 'brif/enp1s0', 'brif/vnet0');
  await add('enp1s0');
  await add('vnet0');
  await writeFile(join(devices, 'vnet0', 'tun_flags'), '0x5002');
  await bridges.ensure(network, signal);
  assert.deepEqual(asked.splice(0), made('enp1s0'));
  await bridges.remove(network, signal);
  asked.length = 0;
  await mkdir(join(devices, 'eth1', 'brif', 'enp2s0'));
  await bridges.ensure(network, signal);
  assert.deepEqual(asked, made('eth1'));
});

test('without a VLAN the uplink is the bridge, and nothing is made or removed', async (t) => {
  const { add, asked, bridges } = await withDevices(t);
  await add('cloudbr0', 'bridge');
  const { vlan: _vlan, ...untagged } = { ...network, bridge: 'cloudbr0', uplink: 'cloudbr0' };
  await bridges.ensure(untagged, signal);
  await bridges.remove(untagged, signal);
  assert.deepEqual(asked, []);
});

test('a host that lacks the uplink, or whose uplink is no bridge, says so', async (t) => {
  const { add, asked, bridges } = await withDevices(t);
  const refused = (message: RegExp, given: Parameters<typeof bridges.ensure>[0]) =>
    assert.rejects(bridges.ensure(given, signal), { code: 'NETWORK_UNAVAILABLE', message });
  await refused(/no network device eth1.*kvmnetworklabel/, network);
  await add('eth1');
  const { vlan: _vlan, ...untagged } = network;
  await refused(/eth1 is no bridge/, untagged);
  await refused(/longer than 13/, { ...network, bridge: 'mlv12345-1000x' });
  assert.deepEqual(asked, []);
});

test('a bridge that was made is idle while its VLAN device is its only port; one of the operator never is', async (t) => {
  const { add, asked, devices, bridges } = await withDevices(t);
  await add('cloudbr0', 'bridge', 'brif');
  assert.equal(await bridges.isIdle('cloudbr0'), false);
  assert.equal(await bridges.isIdle('mlv1-100'), false);
  await add('mlv1-100.v');
  await add('mlv1-100', 'bridge', 'brif/mlv1-100.v', 'brif/vnet0');
  assert.equal(await bridges.isIdle('mlv1-100'), false);
  await rm(join(devices, 'mlv1-100', 'brif', 'vnet0'), { recursive: true });
  assert.equal(await bridges.isIdle('mlv1-100'), true);
  await bridges.removeIdle('mlv1-100', signal);
  assert.deepEqual(asked, ['link delete mlv1-100', 'link delete mlv1-100.v']);
});
