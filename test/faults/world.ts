import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram, sleep } from '@millrace/core';
import { type Database, openDatabase } from '../../apps/server/src/store/database.ts';
import type { Api } from '../e2e/instance.ts';
import { until } from '../e2e/lab-cloud.ts';
import { databaseOfFirst, secondServer, startSecondServer } from '../e2e/second-server.ts';
import { type SharedCloud, startSharedCloud } from '../e2e/shared-cloud.ts';
import { microIso } from '../fixtures/micro-iso.ts';
import type { LabHost } from '../lab/lab-host.ts';
import { type GatedWeb, makeGatedWeb } from './gated-web.ts';

/** Everything that rows of faults happen to: two real hosts, one pool, one source of images, and the database to look into. */
export interface World extends AsyncDisposable {
  readonly cloud: SharedCloud;
  readonly web: GatedWeb;
  readonly database: Database;
  /** Name that hosts resolve to the source of images. */
  readonly sourceName: string;
  /** IDs that the API acknowledged: none may be forgotten. */
  readonly acknowledged: { readonly jobs: Set<string>; readonly vms: Set<string> };
  /** Of every server there is. */
  readonly apis: readonly Api[];
  /** Starts another management server, and waits until every host is connected to it. */
  startSecondServer(): Promise<void>;
  /** Asks it to end, if it is there. */
  stopSecondServer(): Promise<void>;
  /** Asks the first server to end. @returns when it has come back, and every host is connected to it */
  restartFirstServer(): Promise<void>;
  /** Calls until a server answers, whatever becomes of servers meanwhile. */
  patiently<T>(call: () => Promise<T>): Promise<T>;
  hostNamed(name: string): LabHost | undefined;
  /** Brings another host up in the place of one that lost its power. */
  replaceHost(): Promise<void>;
  /** As templates are registered: where the file is. */
  urlOf(file: string): string;
}

/** Beginnings of the paths at which two mirrors have the same image; the first one is listed first. */
export const mirrors = { first: '/mirror-1/', second: '/mirror-2/' } as const;

const { signal } = new AbortController();
const clock = fileURLToPath(new URL('jumping-clock.ts', import.meta.url));
const isoFiller = 8 * 1024 ** 2;

export async function startWorld(): Promise<World> {
  const cloud = await startSharedCloud([]);
  const iso = Buffer.concat([microIso({ label: 'DISC', boot: undefined }), randomBytes(isoFiller)]);
  const lists = (path: string) => {
    const file = path.slice(path.lastIndexOf('/') + 1).replace('.meta4', '');
    const urls = mirrorsOf(file).map(
      ({ url, priority }) => `<url priority="${priority}">http://images.lab:${cloud.imagePort}${url}</url>`,
    );
    return Buffer.from(
      `<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="${file}">${urls.join('')}</file></metalink>`,
    );
  };
  const web = makeGatedWeb((path) =>
    path.endsWith('.meta4') ? lists(path) : path.endsWith('.iso') ? iso : cloud.image,
  );
  const environment = cloud.agentEnvironment;
  cloud.agentEnvironment = (host) => ({
    ...environment(host),
    NODE_OPTIONS: `--import=${clock}`,
  });
  const { api } = cloud.instance;
  const first = await databaseOfFirst(cloud.instance);
  const database = openDatabase(first.url, { poolSize: 2 });
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-second-'));
  let second: ChildProcess | undefined;
  const apis: Api[] = [api];
  const stopSecond = async () => {
    const ending = second;
    second = undefined;
    apis.splice(1);
    if (!ending) return;
    const ended = once(ending, 'exit');
    ending.kill('SIGTERM');
    await ended;
  };
  let number = 10;
  const addHost = async () => {
    number += 1;
    // only servers that are there can be joined
    if (!second) second = await startSecondServer(first, dataDir);
    const host = await cloud.addSharedHost(number, [secondServer.agents]);
    await host.run('sh', ['-c', 'echo "10.99.0.254 images.lab" >>/etc/hosts']);
  };
  await addHost();
  await addHost();
  await stopSecond();
  cloud.misbehave = web.answer;
  for (const [name, value] of [
    ['direct.download.stall.timeout', '4000'],
    ['vm.stop.timeout', '5'],
  ])
    await api.call('updateConfiguration', { name: name!, value: value! });
  return {
    cloud,
    web,
    database,
    sourceName: 'images.lab',
    acknowledged: { jobs: new Set(), vms: new Set() },
    apis,
    async startSecondServer() {
      second = await startSecondServer(first, dataDir);
      await untilConnected(cloud, secondServer.agentPort);
      apis.push(await cloud.instance.apiAt(secondServer.api));
    },
    stopSecondServer: stopSecond,
    async restartFirstServer() {
      const old = await cloud.instance.pidOf('server');
      process.kill(old, 'SIGTERM');
      await until('the first server ends and is started again', 60_000, async () =>
        (await cloud.instance.pidOf('server').catch(() => old)) === old ? undefined : true,
      );
      await until('the first server answers', 60_000, () => api.list('listZones').catch(() => undefined));
      await untilConnected(cloud, 8250);
    },
    async patiently(call) {
      const deadline = Date.now() + 60_000;
      for (;;) {
        try {
          return await call();
        } catch (error) {
          // a refusal of the API has a code; what has none is a server that is not there
          const code = (error as { errorcode?: number }).errorcode;
          if ((code !== undefined && code < 530) || Date.now() > deadline) throw error;
          await sleep(200, signal);
        }
      }
    },
    hostNamed: (name) => cloud.hosts.find((host) => host.name === name),
    async replaceHost() {
      await addHost();
      await stopSecond();
    },
    urlOf: (file) => `http://images.lab:${cloud.imagePort}/${file}`,
    async [Symbol.asyncDispose]() {
      second?.kill('SIGKILL');
      await rm(dataDir, { recursive: true, force: true });
      await database.destroy();
      await cloud[Symbol.asyncDispose]();
    },
  };
}

/** A list of two mirrors of the same rank, or of one that never answers and one that does. */
function mirrorsOf(file: string): { readonly url: string; readonly priority: number }[] {
  return file.startsWith('pair-')
    ? [mirrors.first, mirrors.second].map((mirror) => ({ url: `${mirror}${file}`, priority: 1 }))
    : [`/dead/${file}`, `/${file}`].map((url, index) => ({ url, priority: index + 1 }));
}

/** Waits until each host has a connection to the server whose agents come to this port. */
async function untilConnected(cloud: SharedCloud, port: number): Promise<void> {
  await until(`every host is connected to port ${port}`, 60_000, async () => {
    const { stdout } = await runProgram('ss', ['-Htn', 'state', 'established', 'sport', '=', `:${port}`], {
      signal: AbortSignal.timeout(10_000),
    });
    // a server that listens for both families names IPv4 addresses in IPv6's notation
    return cloud.hosts.every(({ address }) => new RegExp(`\\b${address}\\]?:`).test(stdout))
      ? true
      : undefined;
  });
}
