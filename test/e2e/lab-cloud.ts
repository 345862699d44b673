import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram, sleep } from '@millrace/core';
import { microGuestDisk } from '../fixtures/micro-guest.ts';
import { type LabHost, labAddress, makeSwitch, removeSwitch, startLabHost } from '../lab/lab-host.ts';
import { type Instance, makeDataDirectory, resetInstance, startInstance } from './instance.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { signal } = new AbortController();
/** Bytes behind the guest that no compression shortens. */
const fillerBytes = 24 * 1024 ** 2;

/** An instance whose own host takes no instances, hosts of the lab that do, and a web server with an image for them. */
export interface LabCloud extends AsyncDisposable {
  readonly instance: Instance;
  readonly image: Buffer;
  /** Where the web server listens on the lab's address. */
  readonly imagePort: number;
  readonly zoneid: string;
  readonly serviceofferingid: string;
  /** Those that are there, as they were added. */
  readonly hosts: LabHost[];
  /** A directory of the test's own, which guests may reach. */
  readonly work: string;
  /** Who asked for an image since the last registration. */
  readonly requests: { readonly from: string; readonly path: string }[];
  /** Answers requests for images in another way, when it returns true; undefined: as ever. */
  misbehave: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** Makes a machine with the address 10.99.0.`number` a host, by the commands an operator would use. */
  addHost(number: number, joinOptions?: readonly string[]): Promise<LabHost>;
  startAgent(host: LabHost): void;
  agentEnvironment(host: LabHost): Record<string, string>;
  /** Pulls the plug, and forgets the host. */
  lose(host: LabHost): Promise<void>;
  hostNamed(name: string): Promise<Record<string, unknown> | undefined>;
  untilHostIs(name: string, state: string): Promise<unknown>;
  newTemplate(changes?: Readonly<Record<string, string>>): Promise<string>;
  deployment(templateid: string, name: string): Record<string, string>;
  /** Waits for a line on the serial console of an instance. */
  untilGuestSays(id: string, line: string): Promise<unknown>;
}

export async function startLabCloud(): Promise<LabCloud> {
  const work = await mkdtemp(join(tmpdir(), 'millrace-lab-'));
  await runProgram('chmod', ['0755', work], { signal });
  await makeSwitch();
  const image = await makeImage(work);
  const requests: { readonly from: string; readonly path: string }[] = [];
  const images = createServer((request, response) => {
    requests.push({ from: addressOf(request), path: request.url ?? '' });
    if (cloud.misbehave?.(request, response)) return;
    response.writeHead(200, { 'content-length': image.length }).end(image);
  });
  images.listen(0, labAddress);
  const dataDir = await makeDataDirectory();
  const instance = await startInstance(dataDir, ['--no-demo', '--agent-host', '0.0.0.0']);
  for (const [name, value] of [
    ['direct.download.egress.allowed.cidrs', '10.99.0.0/24'],
    ['direct.download.connect.timeout', '2000'],
    ['agent.reconnect.timeout', '5'],
  ]) {
    await instance.api.call('updateConfiguration', { name: name!, value: value! });
  }
  const zoneid = String((await instance.api.list('listZones'))[0]!['id']);
  const [offering] = await instance.api.list('listServiceOfferings');
  const [own] = await instance.api.list('listHosts');
  await instance.api.call('updateHost', { id: String(own!['id']), allocationstate: 'Disable' });
  const hosts: LabHost[] = [];
  const agents = new Map<string, ChildProcess>();
  let templates = 0;
  const cloud: LabCloud = {
    instance,
    image,
    imagePort: (images.address() as AddressInfo).port,
    zoneid,
    serviceofferingid: String(offering!['id']),
    hosts,
    work,
    requests,
    misbehave: undefined,
    async addHost(number, joinOptions = []) {
      const [pod] = await instance.api.list('listPods');
      const host = await startLabHost(`kvm-${number}`, number);
      hosts.push(host);
      const [added] = await instance.api.list('addHost', {
        zoneid,
        podid: String(pod!['id']),
        hypervisor: 'KVM',
        url: `http://${host.name}`,
      });
      const token = String(added!['jointoken']);
      const argv = ['agent', 'join', `https://${labAddress}:8250`, '--token', token, '--no-start'];
      const pool = join(host.directory, 'pool');
      await host.run(
        join(root, 'bin/millrace'),
        [...argv, '--pool', pool, ...joinOptions],
        cloud.agentEnvironment(host),
      );
      cloud.startAgent(host);
      await cloud.untilHostIs(host.name, 'Up');
      return host;
    },
    agentEnvironment: (host) => ({
      PATH: process.env['PATH'] ?? '',
      MILLRACE_AGENT_DIR: join(host.directory, 'agent'),
      MILLRACE_VIRT_TYPE: 'qemu',
      NODE_COMPILE_CACHE: join(work, 'compiled'),
    }),
    startAgent(host) {
      const agent = host.spawn(join(root, 'bin/millrace'), ['agent'], cloud.agentEnvironment(host));
      agent.stdout!.resume();
      agents.set(host.name, agent);
    },
    async lose(host) {
      await host.crash();
      hosts.splice(hosts.indexOf(host), 1);
    },
    hostNamed: async (name) => (await instance.api.list('listHosts', { name }))[0],
    untilHostIs: (name, state) =>
      until(`host ${name} is ${state}`, 60_000, async () =>
        (await cloud.hostNamed(name))?.['state'] === state ? true : undefined,
      ),
    async newTemplate(changes = {}) {
      templates += 1;
      const { port } = images.address() as AddressInfo;
      const [template] = await instance.api.list('registerTemplate', {
        name: `guest-${templates}`,
        displaytext: 'guest',
        url: `http://${labAddress}:${port}/${templates}.qcow2`,
        format: 'QCOW2',
        hypervisor: 'KVM',
        zoneid,
        ...changes,
      });
      requests.length = 0;
      return String(template!['id']);
    },
    deployment: (templateid, name) => ({
      zoneid,
      templateid,
      serviceofferingid: cloud.serviceofferingid,
      name,
    }),
    untilGuestSays: (id, line) =>
      until(`'${line}' on the console`, 60_000, async () => {
        const answer = await instance.api.call('getVirtualMachineConsoleOutput', { id });
        return JSON.stringify(answer).includes(line) ? true : undefined;
      }),
    async [Symbol.asyncDispose]() {
      for (const agent of agents.values()) agent.kill('SIGKILL');
      for (const host of hosts) await host.crash().catch(() => {});
      await instance.stop();
      images.closeAllConnections();
      images.close();
      await removeSwitch();
      await resetInstance(dataDir);
      await rm(work, { recursive: true, force: true });
    },
  };
  return cloud;
}

/** Who asks. */
export function addressOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? '').replace('::ffff:', '');
}

export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(100, signal);
  }
  throw new Error(`${what}: not within ${timeoutMs} ms`);
}

/** A guest that boots in a moment. */
async function makeImage(work: string): Promise<Buffer> {
  const raw = join(work, 'guest.raw');
  const guest = microGuestDisk({ tag: 'lab', powersOffAfterSeconds: 0 });
  await writeFile(raw, Buffer.concat([guest, randomBytes(fillerBytes)]));
  const qcow2 = join(work, 'guest.qcow2');
  await runProgram('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2], { signal });
  return readFile(qcow2);
}
