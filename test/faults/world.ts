import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { sleep } from '@millrace/core';
import { type Database, openDatabase } from '../../apps/server/src/store/database.ts';
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
  /** Calls until a server answers, whatever becomes of servers meanwhile. */
  patiently<T>(call: () => Promise<T>): Promise<T>;
  hostNamed(name: string): LabHost | undefined;
  /** Brings another host up in the place of one that lost its power. */
  replaceHost(): Promise<void>;
  /** As templates are registered: where the file is. */
  urlOf(file: string): string;
}

const { signal } = new AbortController();
const clock = fileURLToPath(new URL('jumping-clock.ts', import.meta.url));
const isoFiller = 8 * 1024 ** 2;

export async function startWorld(): Promise<World> {
  const cloud = await startSharedCloud([]);
  const iso = Buffer.concat([microIso({ label: 'DISC', boot: undefined }), randomBytes(isoFiller)]);
  const lists = (path: string) => {
    const file = path.slice(path.lastIndexOf('/') + 1).replace('.meta4', '');
    const urls = [`/dead/${file}`, `/${file}`].map(
      (url, index) => `<url priority="${index + 1}">http://images.lab:${cloud.imagePort}${url}</url>`,
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
  let number = 10;
  const addHost = async () => {
    number += 1;
    const host = await cloud.addSharedHost(number);
    await host.run('sh', ['-c', 'echo "10.99.0.254 images.lab" >>/etc/hosts']);
  };
  await addHost();
  await addHost();
  cloud.misbehave = web.answer;
  const { api } = cloud.instance;
  for (const [name, value] of [
    ['direct.download.stall.timeout', '4000'],
    ['vm.stop.timeout', '5'],
  ])
    await api.call('updateConfiguration', { name: name!, value: value! });
  const environ = await readFile(`/proc/${await cloud.instance.pidOf('server')}/environ`, 'utf8');
  const database = openDatabase(/DATABASE_URL=([^\0]+)/.exec(environ)![1]!, { poolSize: 2 });
  return {
    cloud,
    web,
    database,
    sourceName: 'images.lab',
    acknowledged: { jobs: new Set(), vms: new Set() },
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
    },
    urlOf: (file) => `http://images.lab:${cloud.imagePort}/${file}`,
    async [Symbol.asyncDispose]() {
      await database.destroy();
      await cloud[Symbol.asyncDispose]();
    },
  };
}
