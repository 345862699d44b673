import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  type AgentMethods,
  type NetworkDefinition,
  type ParamsOf,
  serverMethods,
  type VmSpec,
  type VmStateReport,
} from '@millrace/agent-protocol';
import { runProgram, sleep, spawnProgram } from '@millrace/core';
import { makeTestAuthority, type TestAuthority } from '../../apps/agent/src/testing/authority.ts';
import { type Connected, startTestServer, type TestServer } from '../../apps/agent/src/testing/server.ts';
import { buildTinyTemplate } from '../../apps/standalone/src/tiny-template/build-tiny-template.ts';
import { microGuestDisk, microGuestLines } from '../fixtures/micro-guest.ts';
import { microIso } from '../fixtures/micro-iso.ts';

/**
 * The real agent process with real libvirt, QEMU and guests, and a server of which only the agent port is real. To be
 * run in a machine for tests: sh test/machine/run-in-machine.sh node --test test/e2e/agent-libvirt.test.ts
 */

const skip =
  process.env['MILLRACE_TEST_MACHINE'] === undefined
    ? 'needs a libvirt of its own: run it by test/machine/run-in-machine.sh'
    : false;
const main = fileURLToPath(new URL('../../apps/agent/src/main.ts', import.meta.url));
const hostUuid = randomUUID();
const { signal } = new AbortController();
/** What takes a second on a quiet machine may take very long on a loaded one. */
const patienceMs = 60_000;

let directory: string;
let poolPath: string;
let authority: TestAuthority;
let server: TestServer;
let images: Server;
const changes: { vm: VmStateReport; at: number }[] = [];
let agent: Agent | undefined;
let connected: Connected;
let first: VmSpec;
let second: VmSpec;
let leaver: VmSpec;

interface Agent {
  readonly pid: number;
  kill(signalName: NodeJS.Signals): void;
  readonly ended: Promise<number | null>;
  readonly log: string[];
}

function startAgent(joinToken?: string): Agent {
  const child = spawnProgram(process.execPath, [main], {
    signal,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      MILLRACE_AGENT_DIR: join(directory, 'agent'),
      MILLRACE_SERVER_URL: server.url,
      MILLRACE_POOL_PATH: poolPath,
      MILLRACE_VIRT_TYPE: 'qemu',
      // as the launcher does: without it every start compiles anew and keeps the compiler in memory
      NODE_COMPILE_CACHE: join(directory, 'compiled'),
      ...(joinToken === undefined ? {} : { MILLRACE_JOIN_TOKEN: joinToken }),
    },
  });
  const log: string[] = [];
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  void (async () => {
    for await (const line of createInterface({ input: child.stdout! })) log.push(line);
  })();
  return { pid: child.pid!, kill: (name) => child.kill(name), ended, log };
}

before(async () => {
  if (skip) return;
  directory = await mkdtemp(join(tmpdir(), 'agent-'));
  // QEMU runs as a user of its own and has to reach the pool
  await runProgram('chmod', ['0755', directory], { signal });
  poolPath = join(directory, 'pool');
  await mkdir(poolPath, { mode: 0o755 });
  [first, second, leaver] = [vmNumber(1), vmNumber(2), vmNumber(3)];
  await mkdir(join(directory, 'images'));
  for (const [tag, powersOffAfterSeconds] of [['stays', 0] as const, ['leaves', 4] as const]) {
    const raw = join(directory, 'images', `${tag}.raw`);
    await writeFile(raw, microGuestDisk({ tag, powersOffAfterSeconds }));
    await runProgram(
      'qemu-img',
      ['convert', '-f', 'raw', '-O', 'qcow2', raw, join(directory, 'images', `${tag}.qcow2`)],
      {
        signal,
      },
    );
  }
  await writeFile(
    join(directory, 'images', 'installer.iso'),
    microIso({ label: 'INSTALLER', boot: { tag: 'installer' } }),
  );
  images = createServer(async (request, response) => {
    const bytes = await readFile(join(directory, 'images', (request.url ?? '').slice(1)));
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  });
  images.listen(0, '127.0.0.1');
  await once(images, 'listening');
  authority = await makeTestAuthority();
  server = await startTestServer({
    authority,
    hostUuid,
    heartbeatMs: 1000,
    onReport: (method, params) => {
      if (method === 'vm.changed')
        changes.push({ vm: serverMethods['vm.changed'].params.parse(params), at: performance.now() });
    },
  });
  agent = startAgent(`mlr1.abcdefgh.${'x'.repeat(24)}.${authority.fingerprint}`);
  connected = await server.nextHello();
});
after(async () => {
  if (skip) return;
  agent?.kill('SIGKILL');
  await server?.[Symbol.asyncDispose]();
  images?.closeAllConnections();
  images?.close();
  await rm(directory, { recursive: true });
});

const pool = () => ({
  uuid: '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77',
  type: 'Filesystem' as const,
  path: poolPath,
});
const network: NetworkDefinition = {
  uuid: '7f0c1f1e-3d55-4a0e-9a38-1c1f0a5a7b11',
  name: 'millrace-guests',
  bridge: 'mlr0',
  gateway: '10.177.0.1',
  netmask: '255.255.255.0',
  rangeStart: '10.177.0.10',
  rangeEnd: '10.177.0.200',
};

function vmNumber(number: number): VmSpec {
  return {
    uuid: `3c8d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f0${number}`,
    instanceName: `i-2-${number}-VM`,
    hostName: `micro-${number}`,
    cpus: 1,
    memoryMiB: 32,
    pool: pool(),
    rootDisk: { path: `root-${number}.qcow2`, format: 'qcow2', serial: `root-${number}` },
    nics: [{ mac: `52:54:00:00:00:0${number}`, ip: `10.177.0.1${number}`, network }],
  };
}
const referenceOf = ({ uuid, instanceName }: VmSpec) => ({ uuid, instanceName });

function call<M extends keyof AgentMethods>(method: M, params: ParamsOf<AgentMethods, M>) {
  return connected.peer.call(method, params, {
    id: randomUUID(),
    signal: AbortSignal.timeout(3 * patienceMs),
  });
}

function prepare(tag: string, format: 'qcow2' | 'iso' = 'qcow2') {
  const { port } = images.address() as AddressInfo;
  return call('template.prepare', {
    pool: pool(),
    installPath: `${tag}.${format}`,
    source: { url: `http://127.0.0.1:${port}/${tag}.${format}`, headers: {}, format },
    policy: {
      connectTimeoutMs: 10_000,
      stallTimeoutMs: 30_000,
      checksumAttempts: 3,
      maxRedirects: 3,
      maxVirtualSizeBytes: 1 << 30,
      maxTransferBytes: 1 << 30,
      sourceOrder: 'priority',
      egressAllowedCidrs: ['127.0.0.1/32'],
    },
    location: [],
  });
}

async function deploy(vm: VmSpec, tag: string) {
  const template = await prepare(tag);
  const backing = { installPath: `${tag}.qcow2`, format: 'qcow2' } as const;
  await call('volume.create', { pool: pool(), path: vm.rootDisk.path, backing, replace: false });
  return { template, start: await call('vm.start', { vm }) };
}

async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) assert.fail(`${what}: not within ${patienceMs / 1000} s`);
    await sleep(50, signal);
  }
}

async function consoleOf(vm: VmSpec): Promise<string> {
  const { data } = await call('vm.console', { vm: referenceOf(vm), offset: 0, limit: 100_000 });
  return Buffer.from(data, 'base64').toString('latin1');
}
const says = (vm: VmSpec, line: string) =>
  until(
    `'${line}' on the console of ${vm.instanceName}`,
    async () => (await consoleOf(vm)).includes(line) || undefined,
  );
const changed = (vm: VmSpec, state: string, since: number) =>
  until(`${vm.instanceName} reported as ${state}`, () =>
    changes.find((change) => change.vm.uuid === vm.uuid && change.vm.state === state && change.at >= since),
  );
const virsh = async (...argv: string[]) => (await runProgram('virsh', ['-q', ...argv], { signal })).stdout;

test('the agent joins and says hello with the facts of its host', { skip }, () => {
  const hello = serverMethods['host.hello'].params.parse(connected.hello);
  assert.match(hello.hypervisorVersion, /^QEMU \d+\.\d+/);
  assert.equal(hello.virtType, 'qemu');
  assert.equal(hello.localPool?.path, poolPath);
  assert.deepEqual(hello.vms, []);
});

test('a guest boots from a template that the agent fetched, and its console is read', { skip }, async () => {
  const since = performance.now();
  const { template, start } = await deploy(first, 'stays');
  assert.equal(template.reused, false);
  assert.deepEqual([start.state, start.startedNow], ['Running', true]);
  assert.ok(start.startMs > 0);
  await says(first, microGuestLines.up(1, 'stays'));
  await changed(first, 'Running', since);
  assert.equal((await virsh('domuuid', first.instanceName)).trim(), first.uuid);
  const leases = await virsh('net-dumpxml', network.name);
  assert.match(leases, /<host mac='52:54:00:00:00:01' name='micro-1' ip='10\.177\.0\.11'\/>/);
  assert.match(await virsh('net-info', network.name), /Autostart: +yes/);
});

test('a second guest runs from the same template beside the first, without a byte moved', {
  skip,
}, async () => {
  const { template } = await deploy(second, 'stays');
  assert.deepEqual([template.reused, template.transferredBytes], [true, 0]);
  await says(second, microGuestLines.up(1, 'stays'));
  assert.equal((await call('vm.state', { vm: referenceOf(first) })).state, 'Running');
  assert.equal((await stat(join(poolPath, 'stays.qcow2'))).mode & 0o777, 0o644);
  const again = await call('vm.start', { vm: second });
  assert.deepEqual(again, { state: 'Running', startedNow: false, startMs: 0 });
});

test('a reboot is done by the guest itself and ends with a running VM; a forced one too', {
  skip,
}, async () => {
  const since = performance.now();
  const rebooted = await call('vm.reboot', { vm: referenceOf(first), forced: false, timeoutSeconds: 120 });
  assert.equal(rebooted.state, 'Running');
  await says(first, microGuestLines.powerButton);
  await says(first, microGuestLines.up(2, 'stays'));
  await call('vm.reboot', { vm: referenceOf(first), forced: true, timeoutSeconds: 1 });
  await says(first, microGuestLines.up(3, 'stays'));
  const others = changes.filter(
    ({ vm, at }) => vm.uuid === first.uuid && vm.state !== 'Running' && at > since,
  );
  assert.deepEqual(others, []);
});

test('a stop presses the power button; the next start keeps the disk', { skip }, async () => {
  const since = performance.now();
  const stopped = await call('vm.stop', { vm: referenceOf(second), forced: false, timeoutSeconds: 120 });
  assert.deepEqual(stopped, { state: 'Stopped', forcedAfterTimeout: false });
  await says(second, microGuestLines.powerButton);
  await changed(second, 'Stopped', since);
  assert.equal((await call('vm.start', { vm: second })).startedNow, true);
  await says(second, microGuestLines.up(2, 'stays'));
  const forced = await call('vm.stop', { vm: referenceOf(second), forced: true, timeoutSeconds: 1 });
  assert.deepEqual(forced, { state: 'Stopped', forcedAfterTimeout: false });
});

test('a guest that powers itself off is reported as stopped within 5 s', { skip }, async () => {
  const since = performance.now();
  await deploy(leaver, 'leaves');
  await says(leaver, microGuestLines.done);
  const seen = performance.now();
  const { at } = await changed(leaver, 'Stopped', since);
  assert.ok(at - seen < 5000, `reported ${Math.round(at - seen)} ms after its last words`);
});

test('a VM with an empty disk boots from an ISO that the agent fetched; taken out while it runs, it is gone at once', {
  skip,
}, async () => {
  const installed = { ...vmNumber(4), cdrom: { path: 'installer.iso', bootFirst: true } };
  const drive = () => virsh('domblklist', installed.instanceName);
  const image = await prepare('installer', 'iso');
  assert.equal(image.format, 'iso');
  await call('volume.create', {
    pool: pool(),
    path: installed.rootDisk.path,
    sizeBytes: 1024 ** 2,
    replace: false,
  });
  await call('vm.start', { vm: installed });
  await says(installed, microGuestLines.up(1, 'installer'));
  assert.match(await drive(), /hdc +.*installer\.iso/);
  const { uid, mode } = await stat(join(poolPath, 'installer.iso'));
  assert.deepEqual([uid, mode & 0o777], [0, 0o644], 'QEMU\u2019s user may read it and no more');
  const change = { vm: referenceOf(installed), pool: pool(), forced: false };
  assert.deepEqual(await call('vm.cdrom', change), { state: 'Running' });
  assert.match(await drive(), /hdc +-/);
  await call('vm.cdrom', { ...change, path: 'installer.iso' });
  await call('vm.cdrom', { ...change, path: 'installer.iso' });
  assert.match(await drive(), /hdc +.*installer\.iso/);
  await assert.rejects(call('vm.cdrom', { ...change, path: 'gone.iso' }), /gone\.iso is not in/);
  await call('vm.stop', { vm: referenceOf(installed), forced: true, timeoutSeconds: 1 });
  assert.deepEqual(await call('vm.cdrom', change), { state: 'Stopped' });
  await call('vm.remove', { vm: referenceOf(installed) });
  await call('volume.remove', { pool: pool(), path: installed.rootDisk.path });
  await call('template.remove', { pool: pool(), installPath: 'installer.iso' });
});

test('a guest reads its host name, keys, user data and password from its config drive, which goes with the VM', {
  skip,
}, async () => {
  const template = await buildTinyTemplate({
    cacheDirectory: fileURLToPath(new URL('../../node_modules/.cache/millrace', import.meta.url)),
    tag: 'machine-test',
    signal,
  });
  await copyFile(template.path, join(directory, 'images', 'tiny.qcow2'));
  const configDrive = {
    hostName: 'reader',
    zoneName: 'zone1',
    serviceOffering: 'Micro',
    sshKeys: ['ann', 'bob'].map((name) => ({ name, publicKey: `ssh-ed25519 AAAA ${name}` })),
    userData: Buffer.from('#!/bin/sh\n').toString('base64'),
    password: 'not for the log',
  };
  const reader = { ...vmNumber(5), memoryMiB: 128, hostName: 'reader', configDrive };
  await deploy(reader, 'tiny');
  await says(reader, 'MILLRACE-GUEST: config host=reader keys=2 userdata=10 password=yes');
  await says(reader, 'MILLRACE-GUEST: ready host=reader ip=10.177.0.15');
  const drive = `/run/millrace/config-drives/${reader.uuid}.iso`;
  assert.equal((await stat(drive)).mode & 0o777, 0o600);
  assert.doesNotMatch(agent!.log.join('\n'), /not for the log/);
  await call('vm.stop', { vm: referenceOf(reader), forced: true, timeoutSeconds: 1 });
  const { password: _, ...without } = configDrive;
  await call('vm.start', { vm: { ...reader, configDrive: without } });
  await says(reader, 'MILLRACE-GUEST: config host=reader keys=2 userdata=10 password=no');
  await call('vm.remove', { vm: referenceOf(reader) });
  assert.deepEqual(await readdir('/run/millrace/config-drives'), []);
  await call('volume.remove', { pool: pool(), path: reader.rootDisk.path });
  await call('template.remove', { pool: pool(), installPath: 'tiny.qcow2' });
});

test('libvirtd may be killed: guests go on, events come again, and what happened meanwhile is told', {
  skip,
}, async () => {
  const since = performance.now();
  assert.equal((await call('vm.start', { vm: second })).state, 'Running');
  const pid = (await readFile('/run/libvirtd.pid', 'utf8')).trim();
  process.kill(Number(pid), 'SIGKILL');
  await until('the end of libvirtd', () => (isAlive(Number(pid)) ? undefined : true));
  // nobody is there to tell that this guest dies: only a fresh list can
  const guest = (await readFile(`/run/libvirt/qemu/${second.instanceName}.pid`, 'utf8')).trim();
  process.kill(Number(guest), 'SIGKILL');
  await until('the end of the guest', () => (isAlive(Number(guest)) ? undefined : true));
  await runProgram('libvirtd', ['-d'], { signal });
  await changed(second, 'Stopped', since);
  const later = performance.now();
  await virsh('destroy', first.instanceName);
  const destroyedAt = performance.now();
  const { at } = await changed(first, 'Stopped', later);
  assert.ok(at - destroyedAt < 5000, `reported ${Math.round(at - destroyedAt)} ms later`);
});

test('the agent may be killed or stopped: guests go on, and the next agent tells of them', {
  skip,
}, async () => {
  await call('vm.start', { vm: first });
  agent!.kill('SIGKILL');
  await agent!.ended;
  agent = startAgent();
  connected = await server.nextHello();
  const hello = serverMethods['host.hello'].params.parse(connected.hello);
  const states = hello.vms.map((vm) => [vm.instanceName, vm.state]).toSorted();
  assert.deepEqual(states, [
    [first.instanceName, 'Running'],
    [second.instanceName, 'Stopped'],
    [leaver.instanceName, 'Stopped'],
  ]);
  assert.deepEqual((await call('vm.start', { vm: first })).startedNow, false);
  agent.kill('SIGTERM');
  assert.equal(await agent.ended, 0);
  assert.equal((await virsh('domstate', first.instanceName)).trim(), 'running');
  agent = startAgent();
  connected = await server.nextHello();
});

test('an idle agent takes less than 100 MB', { skip }, async (t) => {
  const status = await readFile(`/proc/${agent!.pid}/status`, 'utf8');
  const megabytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  t.diagnostic(`resident: ${Math.round(megabytes)} MB`);
  assert.ok(megabytes < 100, `it takes ${Math.round(megabytes)} MB`);
});

test('removing leaves nothing of a VM, its address or its console, and again is fine', { skip }, async () => {
  const since = performance.now();
  for (const vm of [first, second, leaver]) {
    await call('vm.remove', { vm: referenceOf(vm) });
    await call('vm.remove', { vm: referenceOf(vm) });
    await call('volume.remove', { pool: pool(), path: vm.rootDisk.path });
    await changed(vm, 'Missing', since);
    assert.equal((await call('vm.state', { vm: referenceOf(vm) })).state, 'Missing');
  }
  for (const tag of ['stays', 'leaves'])
    await call('template.remove', { pool: pool(), installPath: `${tag}.qcow2` });
  assert.equal((await virsh('list', '--all', '--name')).trim(), '');
  assert.doesNotMatch(await virsh('net-dumpxml', network.name), /<host /);
  assert.doesNotMatch(await virsh('net-dumpxml', '--inactive', network.name), /<host /);
  assert.deepEqual(
    (await readdir('/var/log/libvirt/qemu')).filter((name) => name.includes('-serial.log')),
    [],
  );
  assert.deepEqual(await readdir(poolPath), []);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
