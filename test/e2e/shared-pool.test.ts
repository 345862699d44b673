import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runProgram } from '@millrace/core';
import { microGuestLines } from '../fixtures/micro-guest.ts';
import type { LabHost } from '../lab/lab-host.ts';
import { addressOf, type LabCloud, startLabCloud, until } from './lab-cloud.ts';

/** One storage pool of several real hosts: each image once for all of them, disks that any of them can start. */

let cloud: LabCloud;
let shared: string;
let poolId: string;
let first: LabHost;
let second: LabHost;
let template: string;
let vm: string;

before(async () => {
  cloud = await startLabCloud();
  shared = join(cloud.work, 'shared');
  await runProgram('mkdir', [shared], { signal: AbortSignal.timeout(10_000) });
  // mounted before the hosts are there: all of them have it
  await runProgram('mount', ['-t', 'tmpfs', '-o', 'size=512m,mode=0711', 'shared', shared], {
    signal: AbortSignal.timeout(10_000),
  });
  first = await cloud.addHost(11, ['--shared', shared]);
});
after(async () => {
  for (const host of [...(cloud?.hosts ?? [])]) await cloud.lose(host);
  if (shared) await runProgram('umount', [shared], { signal: AbortSignal.timeout(10_000) });
  await cloud?.[Symbol.asyncDispose]();
});

const api = () => cloud.instance.api;
const idOf = async (host: LabHost) => String((await cloud.hostNamed(host.name))!['id']);

async function deployOn(host: LabHost, templateid: string, name: string) {
  const job = await api().run('deployVirtualMachine', {
    ...cloud.deployment(templateid, name),
    hostid: await idOf(host),
  });
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  return { job, id: (job.jobresult!['virtualmachine'] as { id: string }).id };
}

test('a directory that no host offers, or that belongs to another cloud, becomes no pool', async () => {
  const create = (url: string) =>
    api().call('createStoragePool', { name: 'shared', url, zoneid: cloud.zoneid, scope: 'zone' });
  await assert.rejects(create('SharedMountPoint://localhost/etc'), /kvm-11: .*MILLRACE_SHARED_PATHS/);
  await assert.rejects(create('iscsi://nas/target'), /not supported in this release/);
  await assert.rejects(create('SharedMountPoint://localhost/'), /absolute directory/);
  await writeFile(join(shared, '.millrace-pool'), '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77\n');
  await assert.rejects(
    create(`SharedMountPoint://localhost${shared}`),
    /is the storage pool 0b1d7a52.* already/,
  );
  await runProgram('rm', [join(shared, '.millrace-pool')], { signal: AbortSignal.timeout(10_000) });
  assert.deepEqual(await api().list('listStoragePools', { name: 'shared' }), []);
  assert.deepEqual(await readdir(shared), []);
});

test('a shared pool is made, and a host that joins later reaches it too', async () => {
  const answer = await api().call('createStoragePool', {
    name: 'shared',
    url: `SharedMountPoint://localhost${shared}`,
    zoneid: cloud.zoneid,
    scope: 'zone',
    tags: 'fast',
  });
  const pool = answer['storagepool'] as Record<string, unknown>;
  poolId = String(pool['id']);
  assert.deepEqual(
    [pool['state'], pool['type'], pool['scope'], pool['tags'], pool['disksizetotal']],
    ['Up', 'SharedMountPoint', 'ZONE', 'fast', 512 * 1024 ** 2],
  );
  assert.equal(await readFile(join(shared, '.millrace-pool'), 'utf8'), `${poolId}\n`);
  second = await cloud.addHost(12, ['--shared', shared]);
  const hostid = await idOf(second);
  await until('the second host reaches the pool', 30_000, async () =>
    (await api().list('listStoragePools', { hostid, id: poolId })).length === 1 ? true : undefined,
  );
  for (const local of await api().list('listStoragePools', { scope: 'HOST' })) {
    await api().call('updateStoragePool', { id: String(local['id']), enabled: 'false' });
  }
});

test('an image is fetched once for all hosts of a shared pool', async () => {
  template = await cloud.newTemplate();
  const one = await deployOn(first, template, 'one');
  assert.equal(one.job.jobattempts?.[0]?.sources.length, 1);
  vm = one.id;
  const two = await deployOn(second, template, 'two');
  assert.deepEqual(two.job.jobattempts?.[0]?.sources, [], 'not a byte');
  await cloud.untilGuestSays(two.id, microGuestLines.up(1, 'lab'));
  assert.deepEqual([...new Set(cloud.requests.map(({ from }) => from))], [first.address]);
});

test('the same image of another template is linked: not a byte is fetched; its copy is evicted when nothing uses it', async () => {
  const sha256 = createHash('sha256').update(cloud.image).digest('hex');
  const twin = await cloud.newTemplate({ checksum: `{SHA-256}${sha256}` });
  const { id } = await deployOn(second, twin, 'twin');
  await cloud.untilGuestSays(id, microGuestLines.up(1, 'lab'));
  assert.deepEqual(cloud.requests, []);
  const evict = (templateid: string) => api().run('evictTemplate', { templateid, storageid: poolId });
  await assert.rejects(evict(twin), /is below ROOT-\d+ of instance twin/);
  assert.equal((await api().run('destroyVirtualMachine', { id, expunge: 'true' })).jobstatus, 1);
  const evicted = await evict(twin);
  assert.equal(evicted.jobstatus, 1, JSON.stringify(evicted));
  const files = await readdir(shared);
  assert.ok(!files.includes(`${twin}.qcow2`) && files.includes(`${template}.qcow2`), files.join(' '));
  const [event] = await api().list('listEvents', { type: 'TEMPLATE.COPY.REMOVE' });
  assert.match(String(event!['description']), /on storage pool shared was removed: evictTemplate was called/);
});

test('an instance is stopped on one host and started on another, with its disk', async () => {
  await api().run('stopVirtualMachine', { id: vm, forced: 'true' });
  const started = await api().run('startVirtualMachine', { id: vm, hostid: await idOf(second) });
  assert.equal(started.jobstatus, 1, JSON.stringify(started));
  assert.equal((await api().list('listVirtualMachines', { id: vm }))[0]!['hostname'], second.name);
  await cloud.untilGuestSays(vm, microGuestLines.up(2, 'lab'));
});

test('a running instance is moved to another host, and the guest does not notice', async () => {
  const moved = await api().run('migrateVirtualMachine', {
    virtualmachineid: vm,
    hostid: await idOf(first),
  });
  assert.equal(moved.jobstatus, 1, JSON.stringify(moved));
  const [row] = await api().list('listVirtualMachines', { id: vm });
  assert.deepEqual([row!['state'], row!['hostname']], ['Running', first.name]);
  const domains = async (host: LabHost) =>
    (await host.run('virsh', ['-c', 'qemu:///system', 'list', '--all', '--name'])).stdout.trim().split('\n');
  assert.ok((await domains(first)).includes(String(row!['instancename'])));
  assert.ok(!(await domains(second)).includes(String(row!['instancename'])), 'one copy of it');
  // it listens to its power button as before: it is the guest that was moved, not a new one
  const stopped = await api().run('stopVirtualMachine', { id: vm });
  assert.equal(stopped.jobstatus, 1, JSON.stringify(stopped));
  await cloud.untilGuestSays(vm, microGuestLines.powerButton);
  const started = await api().run('startVirtualMachine', { id: vm, hostid: await idOf(second) });
  assert.equal(started.jobstatus, 1, JSON.stringify(started));
});

test('a host in maintenance is empty: its instances run on the other one', async () => {
  const id = await idOf(second);
  const emptied = await api().run('prepareHostForMaintenance', { id });
  assert.equal(emptied.jobstatus, 1, JSON.stringify(emptied));
  const vms = await api().list('listVirtualMachines', { state: 'Running' });
  assert.equal(vms.length, 2);
  for (const { hostname } of vms) assert.equal(hostname, first.name);
  assert.equal((await cloud.hostNamed(second.name))!['resourcestate'], 'Maintenance');
  assert.equal((await api().run('cancelHostMaintenance', { id })).jobstatus, 1);
  assert.equal((await cloud.hostNamed(second.name))!['resourcestate'], 'Enabled');
});

test('a host whose mount shows something else is passed over, and nothing is written there', async () => {
  const mark = join(shared, '.millrace-pool');
  await rename(mark, `${mark}.away`);
  const other = await cloud.newTemplate();
  const job = await api().run('deployVirtualMachine', cloud.deployment(other, 'nowhere'));
  await rename(`${mark}.away`, mark);
  assert.equal(job.jobstatus, 2);
  assert.deepEqual(
    job.jobattempts?.map(({ reason }) => reason),
    ['POOL_UNAVAILABLE', 'POOL_UNAVAILABLE'],
  );
  assert.match(job.jobresult!.errortext ?? '', /no mark of a storage pool: is the right file system mounted/);
  assert.equal((await readdir(shared)).filter((name) => name.includes(other)).length, 0);
});

test('when the host that fetches an image loses its power, another goes on with what is there', async () => {
  const other = await cloud.newTemplate();
  const half = Math.floor(cloud.image.length / 2);
  let stuck: string | undefined;
  const served = new Map<string, number>();
  cloud.misbehave = (request, response) => {
    const from = addressOf(request);
    const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const begin = Number(start ?? 0);
    const last = end ? Number(end) : cloud.image.length - 1;
    const head = {
      'accept-ranges': 'bytes',
      etag: '"one"',
      'content-length': last - begin + 1,
      ...(start === undefined ? {} : { 'content-range': `bytes ${begin}-${last}/${cloud.image.length}` }),
    };
    response.writeHead(start === undefined ? 200 : 206, head);
    stuck ??= from;
    if (from === stuck && last >= half) {
      // nothing beyond the first half comes to the first host
      response.write(cloud.image.subarray(begin, Math.max(begin, half)));
      return true;
    }
    served.set(from, (served.get(from) ?? 0) + last - begin + 1);
    response.end(cloud.image.subarray(begin, last + 1));
    return true;
  };
  const { jobid } = await api().call('deployVirtualMachine', cloud.deployment(other, 'survivor'));
  const partial = await until('half of the image has arrived', 60_000, async () => {
    const name = (await readdir(shared)).find(
      (candidate) => /partial/.test(candidate) && !/log|journal/.test(candidate),
    );
    if (name === undefined || stuck === undefined) return undefined;
    const { stdout } = await runProgram('du', ['-b', join(shared, name)], {
      signal: AbortSignal.timeout(5000),
    });
    return Number(stdout.split('\t')[0]) > 0 ? name : undefined;
  });
  assert.ok(partial);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const victim = cloud.hosts.find(({ address }) => address === stuck)!;
  const survivor = cloud.hosts.find(({ address }) => address !== stuck)!;
  await cloud.lose(victim);
  const job = await api().job(String(jobid), 180_000);
  cloud.misbehave = undefined;
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  assert.equal(job.jobattempts?.at(-1)?.host, survivor.name);
  const fetched = served.get(survivor.address) ?? 0;
  assert.ok(
    fetched > 0 && fetched < cloud.image.length * 0.75,
    `the other host fetched ${fetched} of ${cloud.image.length} bytes: no more than what was missing`,
  );
});
