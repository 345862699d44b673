import { randomBytes, randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { allSpecs, type CommandSpec, fieldProblems } from '@millrace/api';
import { silentLogger } from '@millrace/core';
import { withTestDatabase } from '../../../../../test/postgres.ts';
import { bootstrap, type FirstStartResult } from '../../bootstrap/first-start.ts';
import { listenForChanges } from '../../store/change-notices.ts';
import type { Database } from '../../store/database.ts';
import { startApi } from '../server.ts';
import { sign, signedStrings } from '../signature.ts';
import {
  type FakeAgents,
  type FakeConsoles,
  type FakeJobs,
  makeFakeAgents,
  makeFakeConsoles,
  makeFakeJobs,
} from './fake-ports.ts';

export interface Keys {
  readonly apiKey: string;
  readonly secretKey: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** What is inside the one top-level key. */
  readonly content: Record<string, unknown>;
  readonly key: string;
}

export type Params = Readonly<Record<string, string>>;

export interface TestApi {
  readonly url: string;
  /** Of the port that asks for no credentials, when there is one. */
  readonly integrationUrl: string;
  readonly database: Database;
  readonly databaseUrl: string;
  readonly agents: FakeAgents;
  readonly consoles: FakeConsoles;
  readonly jobs: FakeJobs;
  readonly ids: FirstStartResult;
  readonly admin: Keys;
  /** A call signed by the admin, or by whoever's keys are given. */
  call(command: string, params?: Params, keys?: Keys): Promise<Answer>;
  /** An unsigned request. */
  send(query: string, init?: RequestInit): Promise<Answer>;
}

export const adminPassword = 'correct horse battery';
/** Hashed beforehand: hashing is slow on purpose. */
const adminPasswordHash =
  '$argon2id$v=19$m=19456,t=2,p=1$F1MVbKbBVGEx/Bd0zP2eZg$p+i8fSOjzaotOqKg2di/Xy3T6ODG9VVA3OZXug86lIk';

export const testNetwork = {
  libvirtName: 'millrace-test',
  bridge: 'mlrtest0',
  cidr: '10.9.8.0/29',
  gateway: '10.9.8.1',
  netmask: '255.255.255.248',
  startIp: '10.9.8.2',
  endIp: '10.9.8.4',
};

/** A real server on a real database, with hosts and jobs in memory. */
export async function withTestApi(
  t: TestContext,
  changes: {
    readonly trustedProxies?: string;
    readonly webDir?: string;
    readonly metricsCidrs?: readonly string[];
    readonly integrationPort?: { readonly host: string; readonly port: number };
  } = {},
): Promise<TestApi> {
  const { database, url: databaseUrl } = await withTestDatabase(t);
  const admin = {
    apiKey: randomBytes(48).toString('base64url'),
    secretKey: randomBytes(48).toString('base64url'),
  };
  const ids = await bootstrap(database, {
    network: testNetwork,
    zoneName: 'zone1',
    admin: { passwordHash: adminPasswordHash, ...admin },
  });
  const agents = makeFakeAgents();
  const jobs = makeFakeJobs();
  const config = {
    dataDir: '/nowhere',
    databaseUrl,
    apiHost: '127.0.0.1',
    apiPort: 0,
    agentHost: '127.0.0.1',
    agentPort: 0,
    logLevel: 'error',
    metricsCidrs: [],
    ...changes,
  } as const;
  const consoles = makeFakeConsoles();
  const notices = listenForChanges({ databaseUrl, log: silentLogger });
  t.after(() => notices.close());
  await notices.listening;
  const api = await startApi({
    config,
    database,
    agents,
    consoles,
    changes: notices,
    jobs,
    log: silentLogger,
  });
  t.after(() => api.close());
  const url = `http://127.0.0.1:${api.port}/client/api`;
  const send = async (query: string, init: RequestInit = {}) =>
    readAnswer(await fetch(query === '' ? url : `${url}?${query}`, init));
  return {
    url,
    integrationUrl: `http://127.0.0.1:${api.integrationPort}/client/api`,
    database,
    databaseUrl,
    agents,
    consoles,
    jobs,
    ids,
    admin,
    send,
    async call(command, params = {}, keys = admin) {
      const query = signedQuery({ command, ...params }, keys);
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const answer = await (query.length < 100_000
        ? send(query)
        : send('', { method: 'POST', headers, body: query }));
      if (answer.status === 200) checkTypes(command, answer);
      return answer;
    },
  };
}

/** Every answer of every test is held against the table of its command's fields: clients decode by it. */
function checkTypes(command: string, answer: Answer): void {
  const spec = allSpecs.find((candidate) => candidate.name.toLowerCase() === command.toLowerCase());
  if (!spec) throw new Error(`${command} has no specification`);
  const problems = entitiesOf(spec, answer.content).flatMap((entity) => fieldProblems(spec.response, entity));
  if (problems.length > 0) throw new Error(`${command} answers with wrong types:\n${problems.join('\n')}`);
}

function entitiesOf(spec: CommandSpec, content: Record<string, unknown>): object[] {
  if (spec.isAsync || spec.result.kind === 'success') return [];
  if (spec.result.kind === 'flat') return [content];
  const value = content[spec.result.key];
  if (spec.result.kind === 'object') return [value as object];
  return value === undefined ? [] : (value as object[]);
}

/** A query string signed as CloudMonkey does. */
export function signedQuery(params: Params, keys: Keys): string {
  const all = { response: 'json', ...params, apiKey: keys.apiKey };
  const signature = sign([...signedStrings(Object.entries(all))][0]!, keys.secretKey);
  return encodeQuery({ ...all, signature });
}

export function encodeQuery(params: Params): string {
  return Object.entries(params)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&');
}

export async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const body: Record<string, Record<string, unknown>> = JSON.parse(text);
  const keys = Object.keys(body);
  if (keys.length !== 1) throw new Error(`an answer has one top-level key, this one has ${keys.join(', ')}`);
  return {
    status: response.status,
    headers: response.headers,
    text,
    key: keys[0]!,
    content: body[keys[0]!]!,
  };
}

/** The rows of a list answer. */
export function rows(answer: Answer): Record<string, unknown>[] {
  const list = Object.entries(answer.content).find(([name]) => name !== 'count')?.[1];
  return (list ?? []) as Record<string, unknown>[];
}

export interface Tenant extends Keys {
  readonly accountId: number;
  readonly userId: number;
  readonly userUuid: string;
  readonly name: string;
}

/** Another account with a user and API keys. `type`: 0 user, 2 domain admin. */
export async function addTenant(
  database: Database,
  name: string,
  options: { readonly type?: number; readonly domainPath?: string; readonly password?: string } = {},
): Promise<Tenant> {
  const path = options.domainPath ?? '/';
  const existing = await database
    .selectFrom('domain')
    .select('id')
    .where('path', '=', path)
    .executeTakeFirst();
  const domain =
    existing ??
    (await database
      .insertInto('domain')
      .values({ uuid: randomUUID(), name: path.split('/').at(-2)!, path, level: path.split('/').length - 2 })
      .returning('id')
      .executeTakeFirstOrThrow());
  const account = await database
    .insertInto('account')
    .values({ uuid: randomUUID(), account_name: name, type: options.type ?? 0, domain_id: domain.id })
    .returning('id')
    .executeTakeFirstOrThrow();
  const keys = { apiKey: `api-${randomUUID()}`, secretKey: `secret-${randomUUID()}` };
  const userUuid = randomUUID();
  const user = await database
    .insertInto('user')
    .values({
      uuid: userUuid,
      username: name,
      password: 'none',
      account_id: account.id,
      api_key: keys.apiKey,
      secret_key: keys.secretKey,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { ...keys, accountId: account.id, userId: user.id, userUuid, name };
}

/** A host that is Up with a local pool, in the first zone. @returns the host's number */
export async function addHost(
  database: Database,
  name: string,
  changes: { readonly status?: string } = {},
): Promise<{ readonly hostId: number; readonly hostUuid: string; readonly poolId: number }> {
  const cluster = await database.selectFrom('cluster').selectAll().executeTakeFirstOrThrow();
  const place = {
    data_center_id: cluster.data_center_id,
    pod_id: cluster.pod_id,
    cluster_id: cluster.id,
  };
  const hostUuid = randomUUID();
  const host = await database
    .insertInto('host')
    .values({
      ...place,
      uuid: hostUuid,
      name,
      status: changes.status ?? 'Up',
      virt_type: 'qemu',
      hypervisor_version: '9.0.0',
      private_ip_address: '192.0.2.7',
      version: '0.1.0',
      cpus: 4,
      speed: 2000,
      ram: 8 * 1024 ** 3,
      ram_free: 6 * 1024 ** 3,
      load_average: 0.25,
      last_ping: new Date(),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  const pool = await database
    .insertInto('storage_pool')
    .values({
      ...place,
      uuid: randomUUID(),
      name: `${name}-local`,
      pool_type: 'Filesystem',
      scope: 'HOST',
      path: '/srv/pool',
      capacity_bytes: 100 * 1024 ** 3,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await database
    .insertInto('storage_pool_host_ref')
    .values({ pool_id: pool.id, host_id: host.id, local_path: '/srv/pool' })
    .execute();
  return { hostId: host.id, hostUuid, poolId: pool.id };
}
