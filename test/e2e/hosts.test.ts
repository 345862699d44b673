import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram, sleep } from '@millrace/core';
import { microGuestDisk, microGuestLines } from '../fixtures/micro-guest.ts';
import { type LabHost, labAddress, makeSwitch, startLabHost } from '../lab/lab-host.ts';
import { type Instance, makeDataDirectory, resetInstance, startInstance } from './instance.ts';

/**
 * Several real hosts, each with its own libvirt, joined by the commands that an operator would use: what a deployment does
 * when hosts, sources and networks fail. Tests in order.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const { signal } = new AbortController();
/** An image that takes a while over the limited lines below. */
const filler = 24 * 1024 ** 2;

let dataDir: string;
let work: string;
let instance: Instance;
let images: Server;
let image: Buffer;
/** Answers a request for an image in another way. */
let misbehave: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
const requests: { readonly from: string; readonly path: string }[] = [];
const hosts: LabHost[] = [];
const agents = new Map<string, ChildProcess>();
let zoneid: string;
let serviceofferingid: string;

before(async () => {
  work = await mkdtemp(join(tmpdir(), 'millrace-hosts-'));
  await makeSwitch();
  image = await makeImage();
  images = createServer((request, response) => {
    const from = (request.socket.remoteAddress ?? '').replace('::ffff:', '');
    requests.push({ from, path: request.url ?? '' });
    if (misbehave?.(request, response)) return;
    response.writeHead(200, { 'content-length': image.length, 'accept-ranges': 'none' }).end(image);
  });
  images.listen(0, labAddress);
  dataDir = await makeDataDirectory();
  instance = await startInstance(dataDir, ['--no-demo', '--agent-host', '0.0.0.0']);
  for (const [name, value] of [
    ['direct.download.egress.allowed.cidrs', '10.99.0.0/24'],
    ['direct.download.connect.timeout', '2000'],
    ['agent.reconnect.timeout', '5'],
  ]) {
    await instance.api.call('updateConfiguration', { name: name!, value: value! });
  }
  zoneid = String((await instance.api.list('listZones'))[0]!['id']);
  serviceofferingid = String((await instance.api.list('listServiceOfferings'))[0]!['id']);
  // only the hosts of the lab: the machine's own takes no instances
  const [own] = await instance.api.list('listHosts');
  await instance.api.call('updateHost', { id: String(own!['id']), allocationstate: 'Disable' });
});

after(async () => {
  for (const agent of agents.values()) agent.kill('SIGKILL');
  for (const host of hosts) await host.crash().catch(() => {});
  await instance?.stop();
  images?.closeAllConnections();
  images?.close();
  if (dataDir) await resetInstance(dataDir);
  if (work) await rm(work, { recursive: true, force: true });
});

/** A guest that boots in a moment, with bytes behind it that no compression shortens. */
async function makeImage(): Promise<Buffer> {
  const raw = join(work, 'guest.raw');
  await writeFile(
    raw,
    Buffer.concat([microGuestDisk({ tag: 'lab', powersOffAfterSeconds: 0 }), randomBytes(filler)]),
  );
  await runProgram('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, join(work, 'guest.qcow2')], {
    signal,
  });
  return readFile(join(work, 'guest.qcow2'));
}

async function until<T>(what: string, timeoutMs: number, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(100, signal);
  }
  throw new Error(`${what}: not within ${timeoutMs} ms`);
}

async function hostNamed(name: string): Promise<Record<string, unknown> | undefined> {
  return (await instance.api.list('listHosts', { name }))[0];
}

const stateOf = (name: string, state: string) =>
  until(`host ${name} ${state}`, 60_000, async () =>
    (await hostNamed(name))?.['state'] === state ? true : undefined,
  );

function agentEnvironment(host: LabHost): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    MILLRACE_AGENT_DIR: join(host.directory, 'agent'),
    MILLRACE_VIRT_TYPE: 'qemu',
    NODE_COMPILE_CACHE: join(work, 'compiled'),
  };
}

function startAgent(host: LabHost): void {
  const agent = host.spawn(join(root, 'bin/millrace'), ['agent'], agentEnvironment(host));
  agent.stdout!.resume();
  agents.set(host.name, agent);
}

let templates = 0;
async function newTemplate(): Promise<string> {
  templates += 1;
  const { port } = images.address() as AddressInfo;
  const [template] = await instance.api.list('registerTemplate', {
    name: `guest-${templates}`,
    displaytext: 'guest',
    url: `http://${labAddress}:${port}/${templates}.qcow2`,
    format: 'QCOW2',
    hypervisor: 'KVM',
    zoneid,
  });
  requests.length = 0;
  return String(template!['id']);
}

const deployment = (templateid: string, name: string) => ({ zoneid, templateid, serviceofferingid, name });

async function poolFiles(host: LabHost): Promise<string[]> {
  return readdir(join(host.directory, 'pool'));
}

test('three machines become hosts by addHost on the server and millrace agent join on each', async () => {
  const [pod] = await instance.api.list('listPods');
  for (const number of [11, 12, 13]) {
    const host = await startLabHost(`kvm-${number}`, number);
    hosts.push(host);
    const [added] = await instance.api.list('addHost', {
      zoneid,
      podid: String(pod!['id']),
      hypervisor: 'KVM',
      url: `http://${host.name}`,
    });
    assert.equal(added!['state'], 'Connecting');
    const token = String(added!['jointoken']);
    const argv = ['agent', 'join', `https://${labAddress}:8250`, '--token', token];
    const pool = join(host.directory, 'pool');
    const joined = await host.run(
      join(root, 'bin/millrace'),
      [...argv, '--pool', pool, '--no-start'],
      agentEnvironment(host),
    );
    assert.match(joined.stdout, new RegExp(`${host.name} has joined as host ${String(added!['id'])}`));
    startAgent(host);
    await stateOf(host.name, 'Up');
    const row = await hostNamed(host.name);
    assert.deepEqual([row!['id'], row!['ipaddress']], [added!['id'], host.address]);
  }
  assert.equal((await instance.api.list('listHosts', { state: 'Up' })).length, 4);
});

test('a host that has joined says so, and joins no second time', async () => {
  const [host] = hosts;
  const environment = agentEnvironment(host!);
  const { stdout } = await host!.run(join(root, 'bin/millrace'), ['agent', 'check'], environment);
  assert.match(stdout, /This host has joined as/);
  assert.match(stdout, /✔ server +https:\/\/10\.99\.0\.254:8250 answers/);
  await assert.rejects(
    host!.run(
      join(root, 'bin/millrace'),
      ['agent', 'join', 'https://10.99.0.254:8250', '--token', 'x'],
      environment,
    ),
    /is a host already/,
  );
});

test('a deployment goes on to the third host when the source answers only that one: each is tried once', async () => {
  const template = await newTemplate();
  const allowed = hosts[2]!;
  misbehave = (request, response) => {
    if (request.socket.remoteAddress?.endsWith(allowed.address)) return false;
    response.writeHead(403).end();
    return true;
  };
  const job = await instance.api.run('deployVirtualMachine', deployment(template, 'third'));
  misbehave = undefined;
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  const attempts = job.jobattempts ?? [];
  assert.equal(attempts.at(-1)?.host, allowed.name);
  assert.equal(new Set(attempts.map(({ host }) => host)).size, attempts.length, 'no host twice');
  for (const { host, sources, next } of attempts.slice(0, -1)) {
    assert.equal(next, 'next-host', host);
    assert.equal(sources[0]?.reason, 'HTTP_DENIED');
  }
  const { id } = job.jobresult!['virtualmachine'] as { id: string };
  await until('the guest’s line', 60_000, async () => {
    const answer = await instance.api.call('getVirtualMachineConsoleOutput', { id });
    return JSON.stringify(answer).includes(microGuestLines.up(1, 'lab')) ? true : undefined;
  });
  for (const host of hosts.slice(0, 2)) assert.deepEqual(await poolFiles(host), [], 'nothing left behind');
});

test('every host refused: each was tried once, the job says why, and nothing is left', async () => {
  const template = await newTemplate();
  misbehave = (_, response) => {
    response.writeHead(404).end();
    return true;
  };
  const job = await instance.api.run('deployVirtualMachine', deployment(template, 'nowhere'));
  misbehave = undefined;
  assert.equal(job.jobstatus, 2);
  assert.deepEqual(
    (job.jobattempts ?? []).map(({ host }) => host).toSorted(),
    hosts.map(({ name }) => name),
  );
  assert.match(job.jobresult!.errortext ?? '', /3 attempt\(s\).*kvm-11.*kvm-13/s);
  const [vm] = await instance.api.list('listVirtualMachines', { name: 'nowhere' });
  assert.equal(vm!['state'], 'Error');
});

test('a host that loses its power in the middle of a transfer is passed over, and comes back', async () => {
  const template = await newTemplate();
  let stuck: string | undefined;
  misbehave = (request, response) => {
    const from = (request.socket.remoteAddress ?? '').replace('::ffff:', '');
    if (stuck !== undefined && from !== stuck) return false;
    stuck = from;
    // half of it, and then nothing more
    response.writeHead(200, { 'content-length': image.length }).write(image.subarray(0, image.length / 2));
    return true;
  };
  const { jobid } = await instance.api.call('deployVirtualMachine', deployment(template, 'survivor'));
  const victim = await until('a transfer has begun', 30_000, async () =>
    hosts.find(({ address }) => address === stuck),
  );
  await victim.crash();
  const job = await instance.api.job(String(jobid));
  misbehave = undefined;
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  assert.deepEqual(
    job.jobattempts?.map(({ host, state, reason }) => [host === victim.name, state, reason]),
    [
      [true, 'failed', 'AGENT_UNAVAILABLE'],
      [false, 'succeeded', undefined],
    ],
  );
  await stateOf(victim.name, 'Alert');
  hosts.splice(hosts.indexOf(victim), 1);
});

test('a network that is cut for a moment costs nothing: the operation is joined again', async () => {
  const template = await newTemplate();
  const [chosen] = hosts;
  const hostid = String((await hostNamed(chosen!.name))!['id']);
  let cutting: Promise<void> | undefined;
  misbehave = (_, response) => {
    response.writeHead(200, { 'content-length': image.length }).write(image.subarray(0, 1024 ** 2));
    // the transfer itself is served on: only the way to the server is gone for two seconds
    setTimeout(() => response.end(image.subarray(1024 ** 2)), 3000);
    cutting ??= chosen!
      .cut()
      .then(() => sleep(2000, signal))
      .then(() => chosen!.mend());
    return true;
  };
  const job = await instance.api.run('deployVirtualMachine', { ...deployment(template, 'cut'), hostid });
  misbehave = undefined;
  await cutting;
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  assert.deepEqual(
    job.jobattempts?.map(({ host, state }) => [host, state]),
    [[chosen!.name, 'succeeded']],
  );
});
