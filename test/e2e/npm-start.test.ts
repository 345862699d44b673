import assert from 'node:assert/strict';
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type MillraceError, runProgram, sleep } from '@millrace/core';
import { microGuestDisk, microGuestLines } from '../fixtures/micro-guest.ts';
import { microIso } from '../fixtures/micro-iso.ts';
import { type Instance, makeDataDirectory, resetInstance, startInstance } from './instance.ts';
import { type IsoServer, serveIsos } from './iso-server.ts';
import { essenceOf, takeTour } from './tour.ts';

/**
 * What a newcomer sees: `npm start` from nothing to the guest's own line, a second VM without moving a byte, life of an
 * instance, and a stop and start that lose nothing. One instance, tests in order.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const guestLine = /MILLRACE-GUEST: ready[^\n]*/;
const { signal } = new AbortController();

let dataDir: string;
let instance: Instance;
let zoneId: string;
let templateId: string;
let offeringId: string;
let secondVm: string;
let isos: IsoServer;
let isoId: string;

before(async () => {
  dataDir = await makeDataDirectory();
  isos = await serveIsos({
    'drivers.iso': microIso({ label: 'DRIVERS', boot: { tag: 'iso' } }),
    'guest.raw': microGuestDisk({ tag: 'tour', powersOffAfterSeconds: 0 }),
  });
});

after(async () => {
  await instance?.stop();
  isos?.close();
  if (dataDir) await resetInstance(dataDir);
});

async function until<T>(what: string, timeoutMs: number, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(100, signal);
  }
  throw new Error(`${what}: not within ${timeoutMs} ms`);
}

async function vm(id: string): Promise<Record<string, unknown>> {
  const rows = await instance.api.list('listVirtualMachines', { id });
  assert.equal(rows.length, 1, `VM ${id} is not listed`);
  return rows[0]!;
}

async function consoleOf(id: string): Promise<string> {
  const answer = await instance.api.call('getVirtualMachineConsoleOutput', { id });
  return String((answer['consoleoutput'] as { output?: string }).output ?? '');
}

async function virsh(...argv: string[]): Promise<string> {
  return (
    await runProgram('virsh', ['-c', 'qemu:///system', ...argv], { signal: AbortSignal.timeout(30_000) })
  ).stdout;
}

test('npm start runs the demo to the line that the guest prints on its serial console', async () => {
  instance = await startInstance(dataDir, []);
  await until('the guest’s line in the launcher’s output', 400_000, async () =>
    guestLine.test(instance.output()) ? true : undefined,
  );
  for (const phase of ['host', 'mirror', 'verif', 'commit', 'start']) {
    assert.match(instance.output(), new RegExp(phase, 'i'), `the demo shows no "${phase}"`);
  }
  const [template] = await instance.api.list('listTemplates', { templatefilter: 'all' });
  assert.equal(template!['directdownload'], true);
  templateId = String(template!['id']);
  zoneId = String((await instance.api.list('listZones'))[0]!['id']);
  offeringId = String((await instance.api.list('listServiceOfferings'))[0]!['id']);
});

test('the data directory is closed to everybody else', async () => {
  assert.equal(((await stat(dataDir)).mode & 0o777).toString(8), '700');
  assert.equal(((await stat(join(dataDir, 'cli/config.json'))).mode & 0o777).toString(8), '600');
});

test('a second start on the same data directory is refused with a reason', async () => {
  await assert.rejects(
    runProgram(
      process.execPath,
      [join(root, 'apps/standalone/src/main.ts'), '--no-demo', '--data-dir', dataDir],
      { signal: AbortSignal.timeout(30_000) },
    ),
    (error: MillraceError) =>
      error.code === 'PROGRAM_FAILED' && /already|in use|running/i.test(error.message),
  );
});

test('a second VM from the same template moves no byte and boots', async () => {
  const job = await instance.api.run('deployVirtualMachine', {
    zoneid: zoneId,
    templateid: templateId,
    serviceofferingid: offeringId,
    name: 'second',
  });
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  assert.deepEqual(
    job.jobattempts?.map(({ state, sources }) => ({ state, sources: sources.length })),
    [{ state: 'succeeded', sources: 0 }],
  );
  const created = job.jobresult!['virtualmachine'] as {
    id: string;
    state: string;
    nic: { ipaddress: string }[];
  };
  assert.equal(created.state, 'Running');
  secondVm = created.id;
  const line = await until(
    'the second guest’s line',
    120_000,
    async () => guestLine.exec(await consoleOf(secondVm))?.[0],
  );
  assert.match(
    line,
    new RegExp(created.nic[0]!.ipaddress.replaceAll('.', '\\.')),
    'the guest has the address that the API shows',
  );
});

test('a guest that powers itself off is Stopped within five seconds', async () => {
  const { instancename } = await vm(secondVm);
  // a user's shell on the serial console; it stays open, because QEMU looks for a terminal's other end but once a second
  await using terminal = await open((await virsh('ttyconsole', String(instancename))).trim(), 'r+');
  await terminal.write('poweroff -f\n');
  const offAt = await until('domain off', 60_000, async () =>
    (await virsh('domstate', String(instancename))).includes('shut off') ? Date.now() : undefined,
  );
  await until('state Stopped', 5_000, async () =>
    (await vm(secondVm))['state'] === 'Stopped' ? true : undefined,
  );
  assert.ok(Date.now() - offAt < 5_000);
  const events = await instance.api.list('listEvents', { type: 'VM.STOP', pagesize: '500' });
  assert.ok(
    events.some((event) => event['resourceid'] === secondVm),
    'the stop is an event',
  );
});

test('an ISO is seen by a running guest as soon as it is attached, and no more once it is detached', async () => {
  await instance.api.call('updateConfiguration', {
    name: 'direct.download.egress.allowed.cidrs',
    value: '127.0.0.0/8',
  });
  const [demo] = await instance.api.list('listVirtualMachines', { state: 'Running' });
  const virtualmachineid = String(demo!['id']);
  const says = (line: string) =>
    until(`'${line}' on the console`, 120_000, async () =>
      (await consoleOf(virtualmachineid)).includes(line) ? true : undefined,
    );
  const [iso] = await instance.api.list('registerIso', {
    name: 'drivers',
    displaytext: 'Drivers',
    url: await isos.metalink('drivers.iso'),
    zoneid: zoneId,
  });
  isoId = String(iso!['id']);
  const attached = await instance.api.run('attachIso', { id: isoId, virtualmachineid });
  assert.equal(attached.jobstatus, 1, JSON.stringify(attached));
  assert.deepEqual(
    attached.jobattempts?.flatMap(({ sources }) => sources.map(({ state, next }) => [state, next])),
    [
      ['failed', 'next-source'],
      ['succeeded', 'done'],
    ],
    'the dead mirror and the one after it',
  );
  assert.equal((await vm(virtualmachineid))['isoname'], 'drivers');
  await says('MILLRACE-GUEST: cdrom DRIVERS');
  const detached = await instance.api.run('detachIso', { virtualmachineid });
  assert.equal(detached.jobstatus, 1, JSON.stringify(detached));
  await says('MILLRACE-GUEST: cdrom none');
  assert.equal((await vm(virtualmachineid))['isoid'], undefined);
});

test('a data disk is plugged into a running guest, grown under it, unplugged, and removed', async () => {
  const { api } = instance;
  const [demo] = await api.list('listVirtualMachines', { state: 'Running' });
  const virtualmachineid = String(demo!['id']);
  const says = (line: string) =>
    until(`'${line}' on the console`, 60_000, async () =>
      (await consoleOf(virtualmachineid)).includes(`MILLRACE-GUEST: disks ${line}`) ? true : undefined,
    );
  const done = async (command: string, params: Record<string, string>) => {
    const job = await api.run(command, params);
    assert.equal(job.jobstatus, 1, JSON.stringify(job));
    return job.jobresult!['volume'] as Record<string, unknown>;
  };
  const [custom] = await api.list('listDiskOfferings', { name: 'Custom' });
  const created = await done('createVolume', {
    diskofferingid: String(custom!['id']),
    size: '1',
    name: 'data',
    zoneid: zoneId,
  });
  const id = String(created['id']);
  assert.deepEqual(
    [created['state'], created['type'], created['size']],
    ['Allocated', 'DATADISK', 1024 ** 3],
  );
  const attached = await done('attachVolume', { id, virtualmachineid });
  assert.deepEqual(
    [attached['state'], attached['deviceid'], attached['virtualmachineid']],
    ['Ready', 1, virtualmachineid],
  );
  await says(`vdb=${1024 ** 3}`);
  await done('resizeVolume', { id, size: '2' });
  await says(`vdb=${2 * 1024 ** 3}`);
  const detached = await done('detachVolume', { id });
  assert.equal(detached['virtualmachineid'], undefined);
  await says('none');
  await api.call('deleteVolume', { id });
  assert.deepEqual(await api.list('listVolumes', { id }), []);
  await until('its file is removed', 60_000, async () =>
    (await readdir(instance.pool)).includes(`${id}.qcow2`) ? undefined : true,
  );
});

test('an instance is deployed from an ISO with an empty disk, and boots from its drive', async () => {
  const job = await instance.api.run('deployVirtualMachine', {
    zoneid: zoneId,
    templateid: isoId,
    serviceofferingid: offeringId,
    rootdisksize: '1',
    name: 'installed',
  });
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  const { id } = job.jobresult!['virtualmachine'] as { id: string };
  await until('the line of the guest on the ISO', 60_000, async () =>
    (await consoleOf(id)).includes(microGuestLines.up(1, 'iso')) ? true : undefined,
  );
  const [root] = await instance.api.list('listVolumes', { virtualmachineid: id, type: 'ROOT' });
  assert.equal(root!['size'], 1024 ** 3);
  const expunged = await instance.api.run('destroyVirtualMachine', { id, expunge: 'true' });
  assert.equal(expunged.jobstatus, 1, JSON.stringify(expunged));
  const deleted = await instance.api.run('deleteIso', { id: isoId });
  assert.equal(deleted.jobstatus, 1, JSON.stringify(deleted));
  assert.deepEqual(
    (await readdir(instance.pool)).filter((name) => name.endsWith('.iso')),
    [],
    'no instance has it in its drive: its copy is gone',
  );
});

test('a guest gets the SSH keys and the user data of its instance, and others after a reset', async () => {
  const says = (id: string, line: string) =>
    until(`'${line}' on the console`, 120_000, async () =>
      (await consoleOf(id)).includes(line) ? true : undefined,
    );
  for (const name of ['one', 'two']) await instance.api.call('createSSHKeyPair', { name });
  const job = await instance.api.run('deployVirtualMachine', {
    zoneid: zoneId,
    templateid: templateId,
    serviceofferingid: offeringId,
    name: 'keyed',
    keypair: 'one',
    userdata: Buffer.from('#!/bin/sh\n').toString('base64'),
  });
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  const { id } = job.jobresult!['virtualmachine'] as { id: string };
  await says(id, 'MILLRACE-GUEST: config host=keyed keys=1 userdata=10 password=no');
  await instance.api.run('stopVirtualMachine', { id, forced: 'true' });
  await instance.api.call('updateVirtualMachine', { id, name: 'renamed' });
  const reset = await instance.api.run('resetSSHKeyForVirtualMachine', { id, keypairs: 'one,two' });
  assert.equal(reset.jobstatus, 1, JSON.stringify(reset));
  await instance.api.run('startVirtualMachine', { id });
  await says(id, 'MILLRACE-GUEST: config host=renamed keys=2 userdata=10 password=no');
  const expunged = await instance.api.run('destroyVirtualMachine', { id, expunge: 'true' });
  assert.equal(expunged.jobstatus, 1, JSON.stringify(expunged));
});

test('start, reboot and stop change the guest and the state that the API shows', async () => {
  const started = await instance.api.run('startVirtualMachine', { id: secondVm });
  assert.equal(started.jobstatus, 1, JSON.stringify(started));
  assert.equal((await vm(secondVm))['state'], 'Running');
  const boots = async () => (await consoleOf(secondVm)).split('MILLRACE-GUEST: ready').length - 1;
  await until('the guest’s line after the start', 120_000, async () =>
    (await boots()) >= 1 ? true : undefined,
  );
  const before = await boots();
  const rebooted = await instance.api.run('rebootVirtualMachine', { id: secondVm }, 180_000);
  assert.equal(rebooted.jobstatus, 1, JSON.stringify(rebooted));
  await until('the guest’s line after the reboot', 120_000, async () =>
    (await boots()) !== before ? true : undefined,
  );
  const stopped = await instance.api.run('stopVirtualMachine', { id: secondVm }, 180_000);
  assert.equal(stopped.jobstatus, 1, JSON.stringify(stopped));
  assert.equal((await vm(secondVm))['state'], 'Stopped');
});

test('restoring gives a fresh root disk from the pool’s copy', async () => {
  const restored = await instance.api.run('restoreVirtualMachine', { virtualmachineid: secondVm });
  assert.equal(restored.jobstatus, 1, JSON.stringify(restored));
  assert.deepEqual(
    restored.jobattempts?.flatMap(({ sources }) => sources),
    [],
  );
  assert.equal(
    (await instance.api.list('listVolumes', { virtualmachineid: secondVm, type: 'ROOT' })).length,
    1,
  );
});

test('a destroyed VM is recovered, and an expunged one is gone with its disk', async () => {
  const destroyed = await instance.api.run('destroyVirtualMachine', { id: secondVm });
  assert.equal(destroyed.jobstatus, 1, JSON.stringify(destroyed));
  assert.equal((await vm(secondVm))['state'], 'Destroyed');
  await instance.api.call('recoverVirtualMachine', { id: secondVm });
  assert.equal((await vm(secondVm))['state'], 'Stopped');
  const { instancename } = await vm(secondVm);
  const expunged = await instance.api.run('destroyVirtualMachine', { id: secondVm, expunge: 'true' });
  assert.equal(expunged.jobstatus, 1, JSON.stringify(expunged));
  assert.deepEqual(await instance.api.list('listVirtualMachines', { id: secondVm }), []);
  assert.ok(!(await virsh('list', '--all', '--name')).split('\n').includes(String(instancename)));
});

test('stopping leaves the VM running, and the next start finds everything within fifteen seconds', async () => {
  const [demo] = await instance.api.list('listVirtualMachines');
  const name = String(demo!['instancename']);
  assert.equal(await instance.stop(), 0);
  assert.match(await virsh('domstate', name), /running/);
  const began = Date.now();
  instance = await startInstance(dataDir);
  const elapsed = Date.now() - began;
  assert.ok(elapsed < 15_000, `ready after ${elapsed} ms`);
  assert.equal((await vm(String(demo!['id'])))['state'], 'Running');
  assert.equal((await instance.api.list('listTemplates', { templatefilter: 'all' }))[0]!['id'], templateId);
});

test('a launcher that was killed leaves no process behind, and the next start finds everything', async () => {
  const pids = await Promise.all(
    (['server', 'agent', 'postgres'] as const).map((part) => instance.pidOf(part)),
  );
  await instance.kill();
  await until('server, agent and PostgreSQL ended', 30_000, async () => {
    const left = await Promise.all(
      pids.map((pid) =>
        stat(`/proc/${pid}/exe`).then(
          () => true,
          () => false,
        ),
      ),
    );
    return left.some(Boolean) ? undefined : true;
  });
  instance = await startInstance(dataDir);
  const [demo] = await instance.api.list('listVirtualMachines');
  assert.equal(demo!['state'], 'Running');
});

test('the CLI speaks CloudMonkey’s grammar against this instance', async () => {
  const cli = (...argv: string[]) =>
    runProgram(join(root, 'bin/millrace'), argv, {
      signal: AbortSignal.timeout(120_000),
      env: { MILLRACE_CONFIG: join(dataDir, 'cli/config.json'), HOME: dataDir },
    });
  const listed = JSON.parse(
    (await cli('list', 'virtualmachines', 'filter=name,state', '--output', 'json')).stdout,
  ) as unknown;
  assert.match(JSON.stringify(listed), /"state":\s*"Running"/);
  const deployed = await cli(
    'deploy',
    'virtualmachine',
    `zoneid=${zoneId}`,
    `templateid=${templateId}`,
    `serviceofferingid=${offeringId}`,
    'name=third',
    'startvm=false',
  );
  assert.match(deployed.stdout + deployed.stderr, /third/);
  await assert.rejects(
    cli('stop', 'virtualmachine', 'id=00000000-0000-4000-8000-000000000000'),
    (error: MillraceError) => /entity does not exist/.test(error.message),
  );
});

test('docs/tour.md tells what a tenant without privileges does with the CLI, and what it prints', async () => {
  const tour = await takeTour({
    instance,
    home: dataDir,
    images: { template: await isos.metalink('guest.raw'), iso: await isos.metalink('drivers.iso') },
  });
  const { MILLRACE_TOUR: kept } = process.env;
  if (kept) await writeFile(kept, tour);
  const told = await readFile(join(root, 'docs/tour.md'), 'utf8');
  assert.deepEqual(essenceOf(tour), essenceOf(told));
});

test('millrace console types into the serial line of an instance and shows the answer', async () => {
  const [demo] = await instance.api.list('listVirtualMachines', { state: 'Running' });
  const { stdout } = await runProgram(join(root, 'bin/millrace'), ['console', String(demo!['name'])], {
    signal: AbortSignal.timeout(60_000),
    env: { MILLRACE_CONFIG: join(dataDir, 'cli/config.json'), HOME: dataDir },
    input: 'echo the-answer-is-$((6*7))\n',
  });
  assert.match(stdout, /the-answer-is-42/);
});

test('reset removes the VMs, their network, the mounts and the data directory, and nothing else', async () => {
  const id = (await readFile(join(dataDir, 'instance-id'), 'utf8')).trim();
  await virsh('net-list', '--all', '--name').then((names) => assert.match(names, new RegExp(id)));
  await assert.rejects(resetInstance(dataDir), /running|stop/i, 'not while it runs');
  await instance.stop();
  await resetInstance(dataDir);
  assert.doesNotMatch(await virsh('list', '--all', '--name'), new RegExp(id));
  assert.doesNotMatch(await virsh('net-list', '--all', '--name'), new RegExp(id));
  assert.doesNotMatch(await readFile('/proc/mounts', 'utf8'), new RegExp(`/run/millrace/${id}`));
  await assert.rejects(stat(dataDir), { code: 'ENOENT' });
  dataDir = '';
});
