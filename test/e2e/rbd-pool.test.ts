import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { rbdImages } from '../../packages/image/src/rbd/rbd-images.ts';
import { microGuestLines } from '../fixtures/micro-guest.ts';
import { microIso } from '../fixtures/micro-iso.ts';
import { type CephCluster, startCeph } from '../lab/ceph.ts';
import { type LabHost, labAddress } from '../lab/lab-host.ts';
import { answerInParts } from './answer-in-parts.ts';
import { type LabCloud, startLabCloud, until } from './lab-cloud.ts';

/** A storage pool on a real Ceph cluster, which the hosts and their guests reach themselves. */

let cloud: LabCloud;
let ceph: CephCluster;
let poolId: string;
let template: string;
let converted: string;
let volume: string;
let isoId: string;
const iso = microIso({ label: 'DRIVERS', boot: { tag: 'iso' } });
const hosts: LabHost[] = [];
const vms: string[] = [];

before(async () => {
  cloud = await startLabCloud();
  cloud.misbehave = answerInParts(cloud.image);
  ceph = await startCeph(labAddress);
  for (const number of [11, 12]) hosts.push(await cloud.addHost(number));
});
after(async () => {
  for (const host of [...(cloud?.hosts ?? [])]) await cloud.lose(host);
  await ceph?.[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
});

const api = () => cloud.instance.api;
const idOf = async (host: LabHost) => String((await cloud.hostNamed(host.name))!['id']);
const urlWith = (secret: string) =>
  `rbd://${ceph.user}:${secret.replaceAll('+', '-').replaceAll('/', '_')}@${ceph.monitor}/${ceph.pool}`;
const create = (url: string) =>
  api().call('createStoragePool', { name: 'ceph', url, zoneid: cloud.zoneid, scope: 'zone' });
const images = () =>
  rbdImages(
    { monitors: [ceph.monitor], pool: ceph.pool, user: ceph.user, secret: ceph.secret },
    AbortSignal.timeout(60_000),
  );
const drivesOf = async (host: LabHost) => {
  const [row] = await api().list('listVirtualMachines', { id: vms[0]! });
  const argv = ['-c', 'qemu:///system', 'domblklist', String(row!['instancename'])];
  return (await host.run('virsh', argv)).stdout;
};
const run = async (command: string, params: Record<string, string>) => {
  const job = await api().run(command, params, 180_000);
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  return job;
};

test('a wrong secret becomes no pool, and the answer says why without it', async () => {
  const wrong = `${'A'.repeat(38)}==`;
  const begun = performance.now();
  await assert.rejects(create(urlWith(wrong)), (error: Error) => {
    const tookMs = performance.now() - begun;
    assert.ok(tookMs < 10_000, `${tookMs} ms`);
    assert.match(error.message, /no host reaches the storage.*kvm-11: .*RBD pool primary: /s);
    assert.ok(!error.message.includes(wrong));
    return true;
  });
});

test('an image is fetched into the pool once, and guests on either host boot from clones of it', async () => {
  const answer = await create(urlWith(ceph.secret));
  const pool = answer['storagepool'] as Record<string, unknown>;
  poolId = String(pool['id']);
  assert.deepEqual(
    [pool['state'], pool['type'], pool['ipaddress'], pool['path']],
    ['Up', 'RBD', labAddress, ceph.pool],
  );
  assert.ok(Number(pool['disksizetotal']) > 0);
  for (const local of await api().list('listStoragePools', { scope: 'HOST' })) {
    await api().call('updateStoragePool', { id: String(local['id']), enabled: 'false' });
  }
  template = await cloud.newTemplate();
  for (const [index, host] of hosts.entries()) {
    const job = await run('deployVirtualMachine', {
      ...cloud.deployment(template, `rbd-${index}`),
      hostid: await idOf(host),
    });
    assert.equal(job.jobattempts?.[0]?.sources.length, index === 0 ? 1 : 0);
    const vm = (job.jobresult!['virtualmachine'] as { id: string }).id;
    vms.push(vm);
    await cloud.untilGuestSays(vm, microGuestLines.up(1, 'lab'));
  }
  const names = await images().list();
  assert.equal(names.filter((name) => !name.startsWith('.')).length, 3, names.join(' '));
  assert.ok(names.includes(template));
});

test('a qcow2 that comes whole or not at all is converted within the pool, and a guest boots from it', async () => {
  cloud.misbehave = undefined;
  converted = await cloud.newTemplate();
  const before = await images().list();
  const params = { ...cloud.deployment(converted, 'rbd-whole'), hostid: await idOf(hosts[0]!) };
  const job = await run('deployVirtualMachine', params);
  cloud.misbehave = answerInParts(cloud.image);
  const vm = (job.jobresult!['virtualmachine'] as { id: string }).id;
  await cloud.untilGuestSays(vm, microGuestLines.up(1, 'lab'));
  // the template and the disk, and nothing of the conversion
  assert.equal((await images().list()).length, before.length + 2);
  await run('destroyVirtualMachine', { id: vm, expunge: 'true' });
});

test('no program of a host has the secret among its arguments, and libvirt tells it to nobody', async () => {
  for (const host of hosts) {
    const { stdout } = await host.run('ps', ['-eo', 'args']);
    assert.match(stdout, /qemu-system/);
    assert.ok(!stdout.includes(ceph.secret));
    await assert.rejects(host.run('virsh', ['-c', 'qemu:///system', 'secret-get-value', poolId]), /private/);
  }
});

test('a disk keeps what its guest wrote over a stop, and the guest may start on the other host', async () => {
  await run('stopVirtualMachine', { id: vms[0]!, forced: 'true' });
  await run('startVirtualMachine', { id: vms[0]!, hostid: await idOf(hosts[1]!) });
  await cloud.untilGuestSays(vms[0]!, microGuestLines.up(2, 'lab'));
});

test('a reinstalled instance has a fresh clone, and its old one goes', async () => {
  const rootOf = async () =>
    String((await api().list('listVolumes', { virtualmachineid: vms[1]!, type: 'ROOT' }))[0]!['id']);
  const old = await rootOf();
  await run('restoreVirtualMachine', { virtualmachineid: vms[1]! });
  const fresh = await rootOf();
  await until('the old clone is gone', 60_000, async () => {
    const names = await images().list();
    return names.includes(fresh) && (fresh === old || !names.includes(old)) ? true : undefined;
  });
});

test('a data disk is an image of its own: plugged into a running guest, and grown under it', async () => {
  const [custom] = await api().list('listDiskOfferings', { name: 'Custom' });
  const diskofferingid = String(custom!['id']);
  const made = await run('createVolume', { diskofferingid, size: '1', name: 'data', zoneid: cloud.zoneid });
  volume = (made.jobresult!['volume'] as { id: string }).id;
  await run('attachVolume', { id: volume, virtualmachineid: vms[0]! });
  const [row] = await api().list('listVirtualMachines', { id: vms[0]! });
  const sizeSeen = async () => {
    const argv = ['-c', 'qemu:///system', 'domblkinfo', String(row!['instancename']), 'vdb'];
    return /Capacity:\s+(\d+)/.exec((await hosts[1]!.run('virsh', argv)).stdout)?.[1];
  };
  assert.equal(await sizeSeen(), String(1024 ** 3));
  await run('resizeVolume', { id: volume, size: '2' });
  assert.equal(await sizeSeen(), String(2 * 1024 ** 3));
  assert.equal(await images().sizeOf(volume), 2 * 1024 ** 3);
});

test('an ISO in the pool is put into the drive of a running guest', async () => {
  cloud.misbehave = (_, response) => {
    response.writeHead(200, { 'content-length': iso.length }).end(iso);
    return true;
  };
  const [registered] = await api().list('registerIso', {
    name: 'drivers',
    displaytext: 'Drivers',
    url: `http://${labAddress}:${cloud.imagePort}/drivers.iso`,
    zoneid: cloud.zoneid,
  });
  isoId = String(registered!['id']);
  await run('attachIso', { id: isoId, virtualmachineid: vms[0]! });
  assert.equal(await images().sizeOf(isoId), iso.length);
  assert.match(await drivesOf(hosts[1]!), new RegExp(`hdc\\s+${ceph.pool}/${isoId}`));
});

test('an instance with an empty disk boots from an ISO in the pool', async () => {
  const job = await run('deployVirtualMachine', {
    ...cloud.deployment(isoId, 'installed'),
    rootdisksize: '1',
  });
  const { id } = job.jobresult!['virtualmachine'] as { id: string };
  await cloud.untilGuestSays(id, microGuestLines.up(1, 'iso'));
  await run('destroyVirtualMachine', { id, expunge: 'true' });
});

test('a running guest with its disks and its ISO is moved to another host, and does not notice', async () => {
  await run('migrateVirtualMachine', { virtualmachineid: vms[0]!, hostid: await idOf(hosts[0]!) });
  const drives = await drivesOf(hosts[0]!);
  for (const name of ['vda', 'vdb', 'hdc']) assert.match(drives, new RegExp(`${name}\\s+${ceph.pool}/`));
  await run('stopVirtualMachine', { id: vms[0]! });
  await cloud.untilGuestSays(vms[0]!, microGuestLines.powerButton);
});

test('a disk and an ISO are taken away from a stopped instance, and go', async () => {
  await run('detachVolume', { id: volume });
  await api().call('deleteVolume', { id: volume });
  await run('detachIso', { virtualmachineid: vms[0]! });
  await run('deleteIso', { id: isoId });
  await until('their images are gone', 60_000, async () =>
    (await images().list()).some((name) => name === volume || name === isoId) ? undefined : true,
  );
});

test('expunged instances take their clones with them, and then the pool can be deleted with all that is in it', async () => {
  for (const id of vms) await run('destroyVirtualMachine', { id, expunge: 'true' });
  await until('the clones are gone', 60_000, async () => {
    const left = (await images().list()).filter((name) => !name.startsWith('.'));
    return left.every((name) => name === template || name === converted) ? true : undefined;
  });
  await until('the pool can be deleted', 60_000, () =>
    api()
      .call('deleteStoragePool', { id: poolId, forced: 'true' })
      .then(
        () => true,
        () => undefined,
      ),
  );
  const [event] = await api().list('listEvents', { type: 'STORAGE.POOL.DELETE' });
  assert.deepEqual(await images().list(), [], String(event!['description']));
});
