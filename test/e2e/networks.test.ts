import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram } from '@millrace/core';
import { openDatabase } from '../../apps/server/src/store/database.ts';
import { buildTinyTemplate } from '../../apps/standalone/src/tiny-template/build-tiny-template.ts';
import { type LabHost, labAddress } from '../lab/lab-host.ts';
import type { Api } from './instance.ts';
import { type LabCloud, startLabCloud, until } from './lab-cloud.ts';
import { databaseOfFirst } from './second-server.ts';

/** A network around real hosts: guests are plugged into it, take their addresses from their drives, and are reached. */

const { signal } = new AbortController();
let cloud: LabCloud;
let api: Api;
let images: Server;
let networkId: string;
const vms: string[] = [];

before(async () => {
  cloud = await startLabCloud();
  api = cloud.instance.api;
  for (const number of [11, 12]) await bridged(await cloud.addHost(number));
});
after(async () => {
  images?.closeAllConnections();
  images?.close();
  await cloud?.[Symbol.asyncDispose]();
});

const bridge = 'cloudbr0';

/** Puts the host's card into a bridge, as an operator would before installing. */
async function bridged({ run, address }: LabHost): Promise<void> {
  await run('sh', [
    '-ec',
    `ip link add ${bridge} type bridge forward_delay 0; ip link set ${bridge} up; ip link set eth0 master ${bridge}
     ip address del ${address}/24 dev eth0; ip address add ${address}/24 dev ${bridge}`,
  ]);
}

/** What a job answers that succeeded. */
async function done(command: string, params: Record<string, string>): Promise<Record<string, unknown>> {
  const { jobstatus, jobresult } = await api.run(command, params);
  if (jobstatus !== 1) throw new Error(JSON.stringify(jobresult));
  return jobresult as Record<string, unknown>;
}

async function physicalNetwork(name: string, kvmnetworklabel: string): Promise<string> {
  const made = await done('createPhysicalNetwork', { name, zoneid: cloud.zoneid });
  const physicalnetworkid = String((made['physicalnetwork'] as { id: unknown }).id);
  await done('addTrafficType', { physicalnetworkid, traffictype: 'Guest', kvmnetworklabel });
  return physicalnetworkid;
}

/** Guests' cards in a bridge of a host. */
async function cardsIn(host: LabHost): Promise<number> {
  const { stdout } = await host.run('ip', ['-j', 'link', 'show', 'master', bridge]);
  return (JSON.parse(stdout || '[]') as { ifname: string }[]).filter(({ ifname }) =>
    ifname.startsWith('vnet'),
  ).length;
}

const virshNetworks = async (host: LabHost) =>
  (await host.run('virsh', ['net-list', '--all', '--name'])).stdout;

/** The name that hosts are told, which the API tells nobody. */
async function bridgeOf(name: string): Promise<string> {
  const { url } = await databaseOfFirst(cloud.instance);
  const database = openDatabase(url, { poolSize: 1 });
  try {
    const network = database.selectFrom('networks').select('bridge').where('name', '=', name);
    return (await network.executeTakeFirstOrThrow()).bridge;
  } finally {
    await database.destroy();
  }
}

async function devicesOf(host: LabHost): Promise<string[]> {
  const { stdout } = await host.run('ip', ['-j', 'link', 'show']);
  return (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) => ifname);
}

async function tinyTemplate(): Promise<string> {
  const { path } = await buildTinyTemplate({
    cacheDirectory: fileURLToPath(new URL('../../node_modules/.cache/millrace', import.meta.url)),
    tag: 'machine-test',
    signal,
  });
  const image = await readFile(path);
  images = createServer((_request, response) => response.end(image));
  await new Promise<void>((resolve) => images.listen(0, labAddress, resolve));
  const [template] = await api.list('registerTemplate', {
    ...{ name: 'tiny', displaytext: 'tiny', format: 'QCOW2', hypervisor: 'KVM', zoneid: cloud.zoneid },
    url: `http://${labAddress}:${(images.address() as AddressInfo).port}/tiny.qcow2`,
  });
  return String(template!['id']);
}

test('guests on two hosts take the addresses of a shared network from their drives, and are reached there', async () => {
  const physicalnetworkid = await physicalNetwork('fabric', bridge);
  const [offering] = await api.list('listNetworkOfferings', { name: 'DefaultSharedNetworkOffering' });
  const answer = await api.call('createNetwork', {
    ...{ name: 'office', zoneid: cloud.zoneid, networkofferingid: String(offering!['id']) },
    ...{ vlan: 'untagged', physicalnetworkid, gateway: '10.5.0.1', netmask: '255.255.255.0' },
    ...{ startip: '10.5.0.10', endip: '10.5.0.20' },
  });
  networkId = String((answer['network'] as { id: unknown }).id);
  const templateid = await tinyTemplate();
  for (const [index, host] of cloud.hosts.entries()) {
    const [found] = await api.list('listHosts', { name: host.name });
    const result = await done('deployVirtualMachine', {
      ...cloud.deployment(templateid, `office-${index}`),
      networkids: networkId,
      hostid: String(found!['id']),
    });
    vms.push((result['virtualmachine'] as { id: string }).id);
    assert.equal(await cardsIn(host), 1);
  }
  for (const [index, id] of vms.entries())
    await cloud.untilGuestSays(id, `ready host=office-${index} ip=10.5.0.${10 + index} `);
  await runProgram('ip', ['address', 'add', '10.5.0.1/24', 'dev', 'lab0'], { signal });
  for (const [index] of vms.entries())
    await runProgram('busybox', ['ping', '-c', '1', '-W', '5', `10.5.0.${10 + index}`], { signal });
});

test('a host without the uplink says what it lacks', async () => {
  const physicalnetworkid = await physicalNetwork('other', 'nowhere0');
  const [offering] = await api.list('listNetworkOfferings', { name: 'DefaultL2NetworkOfferingVlan' });
  const answer = await api.call('createNetwork', {
    ...{ name: 'lost', zoneid: cloud.zoneid, networkofferingid: String(offering!['id']) },
    ...{ vlan: '7', physicalnetworkid },
  });
  const templateid = await cloud.newTemplate();
  await assert.rejects(
    done('deployVirtualMachine', {
      ...cloud.deployment(templateid, 'lost'),
      networkids: String((answer['network'] as { id: unknown }).id),
    }),
    /no network device nowhere0/,
  );
});

test('a network that is deleted is on no host any more, on one that was away once it is back; the operator’s bridge stays', async () => {
  for (const id of vms) await done('destroyVirtualMachine', { id, expunge: 'true' });
  const [here, away] = cloud.hosts as [LabHost, LabHost];
  const lost = (await api.list('listNetworks')).find(({ name }) => name === 'lost');
  // as a host with that VLAN would have it; the device goes nowhere
  const made = await bridgeOf('lost');
  await away.run('sh', [
    '-ec',
    `ip link add ${made} type bridge; ip link add ${made}.v type veth peer name away0; ip link set ${made}.v master ${made}
     ip link add mine0 type bridge`,
  ]);
  await away.run('pkill', ['-f', 'apps/agent/src/main.ts']);
  await until('the host is away', 30_000, async () =>
    (await cloud.hostNamed(away.name))?.['state'] === 'Up' ? undefined : true,
  );
  await done('deleteNetwork', { id: networkId });
  await done('deleteNetwork', { id: String(lost!['id']) });
  const forgotten = (host: LabHost) =>
    until(`libvirt of ${host.name} has forgotten it`, 20_000, async () =>
      (await virshNetworks(host)).includes('mlr-') ? undefined : true,
    );
  await forgotten(here);
  assert.match(await virshNetworks(away), /mlr-/);
  cloud.startAgent(away);
  await forgotten(away);
  await until('the bridge is gone', 20_000, async () =>
    (await devicesOf(away)).some((name) => name.startsWith('mlv')) ? undefined : true,
  );
  assert.ok((await devicesOf(away)).includes('mine0'));
  for (const host of cloud.hosts) {
    assert.equal(await cardsIn(host), 0);
    assert.ok((await devicesOf(host)).includes(bridge));
  }
});
