import assert from 'node:assert/strict';
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram } from '@millrace/core';
import { microGuestLines } from '../fixtures/micro-guest.ts';
import { type LabHost, labAddress } from '../lab/lab-host.ts';
import { type NfsServer, startNfsServer } from '../lab/nfs-server.ts';
import { type LabCloud, startLabCloud, until } from './lab-cloud.ts';

/** A storage pool on a real NFS server, mounted by the hosts themselves. */

const source = fileURLToPath(new URL('../lab/nfs-mount.c', import.meta.url));
const run = (file: string, ...argv: string[]) =>
  runProgram(file, argv, { signal: AbortSignal.timeout(60_000) });
let cloud: LabCloud;
let nas: NfsServer;
let poolId: string;
const hosts: LabHost[] = [];
let vm: string;

before(async () => {
  cloud = await startLabCloud();
  nas = await startNfsServer({ writable: true });
  await chmod(nas.directory, 0o711);
  const mounter = join(cloud.work, 'mount.nfs');
  const { stdout: flags } = await run('pkg-config', '--cflags', '--libs', 'fuse3').catch(() => ({
    stdout: '-I/usr/include/fuse3 -lfuse3 -lpthread',
  }));
  await run('gcc', '-O2', '-o', mounter, source, ...flags.trim().split(/\s+/), '-lnfs', '-lpthread');
  // the kernel of this machine has no NFS: what `mount -t nfs` runs is one that needs none
  await run('mount', '--bind', mounter, '/usr/sbin/mount.nfs');
  for (const number of [11, 12]) hosts.push(await cloud.addHost(number));
});
after(async () => {
  for (const host of [...(cloud?.hosts ?? [])]) await cloud.lose(host);
  await run('umount', '/usr/sbin/mount.nfs').catch(() => {});
  await nas?.[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
});

const api = () => cloud.instance.api;
const idOf = async (host: LabHost) => String((await cloud.hostNamed(host.name))!['id']);

test('a server that does not answer, or has no such export, becomes no pool, and the answer says what hosts say', async () => {
  const create = (url: string) =>
    api().call('createStoragePool', { name: 'nas', url, zoneid: cloud.zoneid, scope: 'zone' });
  await assert.rejects(
    create(`nfs://${labAddress}/nothing`),
    /kvm-11: 10\.99\.0\.254:\/nothing cannot be mounted.*kvm-12: /s,
  );
  assert.deepEqual(await api().list('listStoragePools', { name: 'nas' }), []);
});

test('hosts mount an NFS share as a pool: an image is fetched once, and either host runs guests from it', async () => {
  const answer = await api().call('createStoragePool', {
    name: 'nas',
    url: `nfs://${labAddress}/primary`,
    zoneid: cloud.zoneid,
    scope: 'zone',
  });
  const pool = answer['storagepool'] as Record<string, unknown>;
  poolId = String(pool['id']);
  assert.deepEqual(
    [pool['state'], pool['type'], pool['ipaddress'], pool['path']],
    ['Up', 'NetworkFilesystem', labAddress, '/primary'],
  );
  assert.ok(Number(pool['disksizetotal']) > 0);
  for (const local of await api().list('listStoragePools', { scope: 'HOST' })) {
    await api().call('updateStoragePool', { id: String(local['id']), enabled: 'false' });
  }
  const template = await cloud.newTemplate();
  for (const [index, host] of hosts.entries()) {
    const job = await api().run('deployVirtualMachine', {
      ...cloud.deployment(template, `nas-${index}`),
      hostid: await idOf(host),
    });
    assert.equal(job.jobstatus, 1, JSON.stringify(job));
    assert.equal(job.jobattempts?.[0]?.sources.length, index === 0 ? 1 : 0);
    vm = (job.jobresult!['virtualmachine'] as { id: string }).id;
    await cloud.untilGuestSays(vm, microGuestLines.up(1, 'lab'));
  }
  const files = await readdir(nas.directory);
  assert.ok(files.includes(`${template}.qcow2`), files.join(' '));
});

test('while the NFS server is gone guests wait, and go on when it is back', async () => {
  await nas.crash();
  const { jobid } = await api().call('stopVirtualMachine', { id: vm, forced: 'true' });
  await nas.restart();
  assert.equal((await api().job(String(jobid))).jobstatus, 1);
  const started = await api().run('startVirtualMachine', { id: vm, hostid: await idOf(hosts[0]!) }, 180_000);
  assert.equal(started.jobstatus, 1, JSON.stringify(started));
  await cloud.untilGuestSays(vm, microGuestLines.up(2, 'lab'));
});

test('a pool without disks is deleted: images, mark and mounts go', async () => {
  for (const { id } of await api().list('listVirtualMachines')) {
    const job = await api().run('destroyVirtualMachine', { id: String(id), expunge: 'true' });
    assert.equal(job.jobstatus, 1, JSON.stringify(job));
  }
  await until('the pool can be deleted', 60_000, () =>
    api()
      .call('deleteStoragePool', { id: poolId, forced: 'true' })
      .then(
        () => true,
        () => undefined,
      ),
  );
  const [event] = await api().list('listEvents', { type: 'STORAGE.POOL.DELETE' });
  assert.deepEqual(await readdir(nas.directory), [], String(event!['description']));
  for (const host of hosts) {
    const { stdout } = await host.run('cat', ['/proc/mounts']);
    assert.doesNotMatch(stdout, /fuse\.nfs/);
  }
});

/** The same share as an image store: a machine without a hypervisor looks after it. */
let worker: LabHost;
let stored: string;

const killAgentOf = (host: LabHost) => host.run('pkill', ['-9', '-f', 'apps/agent/src/main.ts']);

test('a machine that is there for images alone looks after an NFS share as image store', async () => {
  worker = await cloud.addHost(13, ['--role', 'image-store']);
  const row = await cloud.hostNamed(worker.name);
  assert.equal(row!['type'], 'SecondaryStorageVM');
  const url = `nfs://${labAddress}/primary`;
  await assert.rejects(
    api().call('addImageStore', { provider: 'S3', url }),
    /not supported in this release: NFS and Local are/,
  );
  const answer = await api().call('addImageStore', { provider: 'NFS', url, name: 'nas' });
  assert.equal((answer['imagestore'] as Record<string, unknown>)['protocol'], 'nfs');
  const systemVms = await api().list('listSystemVms');
  assert.ok(systemVms.some(({ hostname }) => hostname === worker.name));
});

test('its machine is killed in the middle of a download: the next one goes on with what is there', async () => {
  let sent = 0;
  cloud.misbehave = (request, response) => {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const first = Number(range?.[1] ?? 0);
    const last = range?.[2] ? Number(range[2]) : cloud.image.length - 1;
    response.writeHead(range ? 206 : 200, {
      'content-length': last - first + 1,
      'accept-ranges': 'bytes',
      etag: '"one"',
      ...(range ? { 'content-range': `bytes ${first}-${last}/${cloud.image.length}` } : {}),
    });
    sent += last - first + 1;
    response.end(cloud.image.subarray(first, last + 1));
    return true;
  };
  await api().call('updateConfiguration', { name: 'direct.download.rate.limit', value: '4000000' });
  stored = await cloud.newTemplate({ directdownload: 'false' });
  const status = async () => {
    const [row] = await api().list('listTemplates', { templatefilter: 'all', id: stored });
    return row!;
  };
  await until('a part is there', 60_000, async () =>
    /^[3-9]\d% Downloaded$/.test(String((await status())['status'])) ? true : undefined,
  );
  await killAgentOf(worker);
  cloud.startAgent(worker);
  const ready = await until('the template is ready', 90_000, async () => {
    const row = await status();
    return row['isready'] === true ? row : undefined;
  });
  assert.equal(ready['status'], 'Download Complete');
  assert.ok(sent < 1.9 * cloud.image.length, `${sent} bytes were sent of ${cloud.image.length}`);
});

test('it is killed while a host copies from it: the instance comes up all the same', async () => {
  for (const local of await api().list('listStoragePools', { scope: 'HOST' }))
    await api().call('updateStoragePool', { id: String(local['id']), enabled: 'true' });
  cloud.requests.length = 0;
  const { jobid } = await api().call('deployVirtualMachine', {
    ...cloud.deployment(stored, 'from-nas'),
    hostid: await idOf(hosts[0]!),
  });
  await until('a part is copied', 60_000, async () => {
    const job = await api().call('queryAsyncJobResult', { jobid: String(jobid) });
    const progress = job['jobprogress'] as { bytes?: number } | undefined;
    return (progress?.bytes ?? 0) > 6_000_000 ? true : undefined;
  });
  await killAgentOf(worker);
  cloud.startAgent(worker);
  const job = await api().job(String(jobid), 120_000);
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  const { id } = job.jobresult!['virtualmachine'] as { id: string };
  await cloud.untilGuestSays(id, microGuestLines.up(1, 'lab'));
  assert.deepEqual(cloud.requests, [], 'nothing came from the source');
  await api().call('updateConfiguration', { name: 'direct.download.rate.limit', value: '0' });
});
