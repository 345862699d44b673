import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPaths } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RemoteError } from '@millrace/agent-protocol';
import { runProgram, silentLogger } from '@millrace/core';
import { withTestDatabase } from '../../../../test/postgres.ts';
import { AgentCallError, Detached } from '../domain/failure-policy.ts';
import type { Database } from '../store/database.ts';
import { prepareDatabase } from '../store/prepare-database.ts';
import { writeSetting } from '../store/settings.ts';
import { type CloudRows, insertCloud, insertTemplate, insertVm } from '../store/testing/cloud-rows.ts';
import {
  type CertificateAuthority,
  openCertificateAuthority,
  openSharedAuthority,
} from './certificate-authority.ts';
import { createJoinToken } from './join-token.ts';
import { type Agents, startAgents } from './start-agents.ts';
import { connectAgent, hello, join, makeCertificateRequest, postJoin } from './testing/agent-client.ts';

interface Setup {
  readonly database: Database;
  readonly url: string;
  readonly dataDir: string;
  readonly authority: CertificateAuthority;
  readonly agents: Agents;
  readonly cloud: CloudRows;
  readonly token: () => Promise<string>;
}

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(joinPaths(tmpdir(), 'millrace-agents-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function start(t: TestContext): Promise<Setup> {
  const { url } = await withTestDatabase(t);
  const dataDir = await temporaryDirectory(t);
  const keyFile = joinPaths(dataDir, 'secret.key');
  const { database } = await prepareDatabase({ databaseUrl: url, keyFile, poolSize: 10 });
  t.after(() => database.destroy());
  const cloud = await insertCloud(database);
  const authority = await openSharedAuthority(database, dataDir);
  const agents = await startAgents({
    database,
    authority,
    host: '127.0.0.1',
    port: 0,
    log: silentLogger,
  });
  t.after(() => agents.close());
  const token = () => createJoinToken(database, { fingerprint: authority.fingerprint, now: new Date() });
  return { database, url, dataDir, authority, agents, cloud, token };
}

async function until(what: string, probe: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await probe()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`did not happen: ${what}`);
}

const { signal } = new AbortController();
const poolStats = {
  pool: { uuid: '3b2f9d9e-6c3a-4a4c-9a4b-0f6b0a4a3c11', type: 'Filesystem', path: '/p' },
} as const;

test('servers of one database share one authority; a data directory with another one is refused', async (t) => {
  const { database } = await withTestDatabase(t);
  const directories = await Promise.all([
    temporaryDirectory(t),
    temporaryDirectory(t),
    temporaryDirectory(t),
  ]);
  const all = await Promise.all(directories.map((directory) => openSharedAuthority(database, directory)));
  const fingerprints = new Set(all.map((authority) => authority.fingerprint));
  assert.equal(fingerprints.size, 1);
  // it is a real one in each of them: the certificate of the server fits the CA
  for (const authority of all) assert.match((await authority.serverCertificate()).certificate, /BEGIN CERT/);

  const stranger = await temporaryDirectory(t);
  const other = await openCertificateAuthority(stranger);
  const key = await readFile(joinPaths(stranger, 'ca/ca-key.pem'), 'utf8');
  await assert.rejects(openSharedAuthority(database, stranger), { code: 'CA_DIFFERS' });
  assert.equal(await readFile(joinPaths(stranger, 'ca/ca-key.pem'), 'utf8'), key);
  assert.ok(!fingerprints.has(other.fingerprint));
});

test('an authority that was there before the database kept one is kept', async (t) => {
  const { database } = await withTestDatabase(t);
  const directory = await temporaryDirectory(t);
  const before = await openCertificateAuthority(directory);
  assert.equal((await openSharedAuthority(database, directory)).fingerprint, before.fingerprint);
  const second = await openSharedAuthority(database, await temporaryDirectory(t));
  assert.equal(second.fingerprint, before.fingerprint);
});

test('a host that joined at one server is admitted by another of the same database', async (t) => {
  const { database, agents, token } = await start(t);
  const second = await startAgents({
    database,
    authority: await openSharedAuthority(database, await temporaryDirectory(t)),
    host: '127.0.0.1',
    port: 0,
    log: silentLogger,
  });
  t.after(() => second.close());
  const identity = await join(agents.port, await token(), 'host-a');
  const here = await connectAgent(second.port, identity);
  assert.equal(
    (await here.peer.call('host.hello', hello(), { id: 'hello', signal })).hostUuid,
    identity.hostUuid,
  );
  const late = await join(second.port, await token(), 'host-b');
  const there = await connectAgent(agents.port, late);
  assert.equal(
    (await there.peer.call('host.hello', hello(), { id: 'hello', signal })).hostUuid,
    late.hostUuid,
  );
  here.socket.terminate();
  there.socket.terminate();
});

test('the authority is made once, privately, and kept', async (t) => {
  const directory = await temporaryDirectory(t);
  const [one, two] = await Promise.all([
    openCertificateAuthority(directory),
    openCertificateAuthority(directory),
  ]);
  const three = await openCertificateAuthority(directory);
  assert.equal(one.fingerprint, two.fingerprint);
  assert.equal(one.fingerprint, three.fingerprint);
  assert.equal((await stat(joinPaths(directory, 'ca'))).mode & 0o777, 0o700);
  assert.equal((await stat(joinPaths(directory, 'ca/ca-key.pem'))).mode & 0o777, 0o600);
  const first = await one.serverCertificate();
  const again = await three.serverCertificate();
  assert.equal(first.certificate, again.certificate);
  await runProgram(
    'openssl',
    [
      'verify',
      '-x509_strict',
      '-CAfile',
      joinPaths(directory, 'ca/ca.pem'),
      joinPaths(directory, 'ca/server.pem'),
    ],
    { signal },
  );
});

test('a host joins with a token once; the token never works again', async (t) => {
  const { agents, token, database } = await start(t);
  const spent = await token();
  const identity = await join(agents.port, spent, 'host-a');
  const host = await database
    .selectFrom('host')
    .selectAll()
    .where('uuid', '=', identity.hostUuid)
    .executeTakeFirstOrThrow();
  assert.equal(host.status, 'Connecting');
  const { pem } = await makeCertificateRequest();
  const again = await postJoin(agents.port, { token: spent, certificateRequest: pem, hostName: 'host-b' });
  assert.equal(again.status, 403);
  assert.match(JSON.stringify(again.body), /has been used/);
  assert.equal((await database.selectFrom('host').selectAll().execute()).length, 1);
});

test('wrong, expired and malformed requests to join are refused and change nothing', async (t) => {
  const { agents, token, database, authority } = await start(t);
  const { pem } = await makeCertificateRequest();
  const good = await token();
  const parts = good.split('.');
  const forged = [parts[0], parts[1], 'A'.repeat(32), parts[3]].join('.');
  const expired = await createJoinToken(database, {
    fingerprint: authority.fingerprint,
    now: new Date(Date.now() - 2 * 3600 * 1000),
  });
  const cases = [
    { body: { token: forged, certificateRequest: pem, hostName: 'x' }, status: 403 },
    { body: { token: expired, certificateRequest: pem, hostName: 'x' }, status: 403 },
    { body: { token: good, certificateRequest: 'nonsense', hostName: 'x' }, status: 403 },
    { body: { token: 'nonsense', certificateRequest: pem, hostName: 'x' }, status: 400 },
    { body: { token: good, certificateRequest: 'x'.repeat(60_000), hostName: 'x' }, status: 400 },
  ];
  for (const { body, status } of cases) assert.equal((await postJoin(agents.port, body)).status, status);
  assert.deepEqual(await database.selectFrom('host').selectAll().execute(), []);
  // none of them spent the good token
  assert.ok(await join(agents.port, good, 'host-a'));
});

test('the token program prints tokens that admit a host each', async (t) => {
  const { agents, url, dataDir } = await start(t);
  const { stdout } = await runProgram(
    process.execPath,
    [fileURLToPath(new URL('./join-token-main.ts', import.meta.url)), '--count', '2'],
    { signal, env: { DATABASE_URL: url, MILLRACE_DATA_DIR: dataDir } },
  );
  const { tokens } = JSON.parse(stdout) as { tokens: string[] };
  assert.equal(tokens.length, 2);
  for (const [index, token] of tokens.entries()) assert.ok(await join(agents.port, token, `host-${index}`));
});

test('a connection needs a certificate of this authority that names a host which is not removed', async (t) => {
  const { agents, token, database } = await start(t);
  const identity = await join(agents.port, await token(), 'host-a');
  const stranger = await openCertificateAuthority(await temporaryDirectory(t));
  const { pem, key } = await makeCertificateRequest();
  const forged = await stranger.issueHostCertificate({ pem, hostUuid: identity.hostUuid });
  await assert.rejects(connectAgent(agents.port, {}), /refused with 401/);
  await assert.rejects(
    connectAgent(agents.port, { ca: identity.ca, certificate: forged, key }),
    /refused with 401|socket hang up|unknown ca/i,
  );
  await (await connectAgent(agents.port, identity)).socket.terminate();
  await database.updateTable('host').set({ removed: new Date() }).execute();
  await assert.rejects(connectAgent(agents.port, identity), /refused with 403/);
});

test('hello brings a host up with its facts and its local pool', async (t) => {
  const { agents, token, database } = await start(t);
  const identity = await join(agents.port, await token(), 'host-a');
  const agent = await connectAgent(agents.port, identity);
  await assert.rejects(
    agent.peer.call('host.heartbeat', { memoryFreeBytes: 1, loadAverage: 1 }, { id: 'early', signal }),
    /hello first/,
  );
  const answer = await agent.peer.call('host.hello', hello(), { id: 'hello', signal });
  assert.equal(answer.hostUuid, identity.hostUuid);
  const localPool = { capacityBytes: 1000 * 1024 ** 2, availableBytes: 600 * 1024 ** 2 };
  const beat = (id: string) =>
    agent.peer.call('host.heartbeat', { memoryFreeBytes: 5, loadAverage: 0.5, localPool }, { id, signal });
  assert.deepEqual(await beat('beat-1'), { limits: {} });
  await writeSetting(database, 'direct.download.host.rate.limit', '5000000');
  await writeSetting(database, 'direct.download.rate.limit', '1000000');
  const limits = { bytesPerSecond: 1_000_000, hostBytesPerSecond: 5_000_000 };
  assert.deepEqual(await beat('beat-2'), { limits });
  const host = await database.selectFrom('host').selectAll().executeTakeFirstOrThrow();
  assert.equal(host.status, 'Up');
  assert.equal(host.cpus, 8);
  assert.equal(host.ram_free, 5);
  const pools = await database.selectFrom('storage_pool').selectAll().execute();
  assert.equal(pools.length, 1);
  assert.equal(pools[0]?.name, 'host-a-local');
  assert.equal(pools[0]?.scope, 'HOST');
  assert.equal(pools[0]?.used_bytes, 400 * 1024 ** 2);
  assert.ok(agents.gateway.isConnected(host.id));
  agent.socket.terminate();
  await until('the host is disconnected', async () => {
    const row = await database.selectFrom('host').select('status').executeTakeFirstOrThrow();
    return row.status === 'Disconnected';
  });
});

test('an agent of another protocol version is told so', async (t) => {
  const { agents, token } = await start(t);
  const agent = await connectAgent(agents.port, await join(agents.port, await token(), 'host-a'));
  await assert.rejects(
    agent.peer.call('host.hello', hello({ protocolVersion: 99 }), { id: 'hello', signal }),
    (error) => error instanceof RemoteError && /same release/.test(error.message),
  );
});

async function upHost(
  setup: Setup,
  handlers: Parameters<typeof connectAgent>[2],
  changes: Parameters<typeof hello>[0] = {},
) {
  const identity = await join(setup.agents.port, await setup.token(), 'host-a');
  const agent = await connectAgent(setup.agents.port, identity, handlers);
  await agent.peer.call('host.hello', hello(changes), { id: 'hello', signal });
  const host = await setup.database
    .selectFrom('host')
    .select('id')
    .where('uuid', '=', identity.hostUuid)
    .executeTakeFirstOrThrow();
  return { identity, agent, hostId: host.id };
}

test('an operation survives a lost connection: the same id is sent again', async (t) => {
  const setup = await start(t);
  const ids: string[] = [];
  const begun = Promise.withResolvers<void>();
  const { identity, agent, hostId } = await upHost(setup, {
    'pool.stats': (_params, context) => {
      ids.push(context.id);
      begun.resolve();
      return new Promise(() => {});
    },
  });
  const call = setup.agents.gateway.call(hostId, 'pool.stats', poolStats, { operationId: 'op-1', signal });
  await begun.promise;
  agent.socket.terminate();
  const second = await connectAgent(setup.agents.port, identity, {
    'pool.stats': async (_params, context) => {
      ids.push(context.id);
      return { capacityBytes: 2, availableBytes: 1 };
    },
  });
  await second.peer.call('host.hello', hello(), { id: 'hello', signal });
  assert.deepEqual(await call, { capacityBytes: 2, availableBytes: 1 });
  assert.deepEqual(ids, ['op-1', 'op-1']);
});

test('a newer connection of a host replaces the older one', async (t) => {
  const setup = await start(t);
  const { identity, agent, hostId } = await upHost(setup, {});
  const newer = await connectAgent(setup.agents.port, identity, {
    'pool.stats': async () => ({ capacityBytes: 7, availableBytes: 7 }),
  });
  await newer.peer.call('host.hello', hello(), { id: 'hello', signal });
  assert.match((await agent.closed).reason, /replaced/);
  const stats = await setup.agents.gateway.call(hostId, 'pool.stats', poolStats, {
    operationId: 'op',
    signal,
  });
  assert.equal(stats.capacityBytes, 7);
});

test('a host that does not come back in time is unavailable, and the next host may be tried', async (t) => {
  const setup = await start(t);
  await assert.rejects(
    setup.agents.gateway.call(4711, 'pool.stats', poolStats, {
      operationId: 'op',
      signal,
      reconnectWithinMs: 50,
    }),
    (error) =>
      error instanceof AgentCallError &&
      error.code === 'AGENT_UNAVAILABLE' &&
      error.failureClass === 'next-host',
  );
});

test('cancelling a call cancels the operation, letting go of it does not', async (t) => {
  const setup = await start(t);
  const cancelled: string[] = [];
  let release: (() => void) | undefined;
  const { hostId } = await upHost(setup, {
    'pool.stats': (_params, context) => {
      context.signal.addEventListener('abort', () => cancelled.push(context.id));
      return new Promise((resolve) => {
        release = () => resolve({ capacityBytes: 3, availableBytes: 3 });
      });
    },
  });
  const { gateway } = setup.agents;
  const detaching = new AbortController();
  const first = gateway.call(hostId, 'pool.stats', poolStats, { operationId: 'a', signal: detaching.signal });
  await until('the operation runs', () => release !== undefined);
  detaching.abort(new Detached('LEASE_LOST', 'another worker has it'));
  await assert.rejects(first, Detached);
  // the next worker joins the same operation on the same connection
  const second = gateway.call(hostId, 'pool.stats', poolStats, { operationId: 'a', signal });
  release?.();
  assert.equal((await second).capacityBytes, 3);
  assert.equal(cancelled.length, 0);
  release = undefined;
  const cancelling = new AbortController();
  const third = gateway.call(hostId, 'pool.stats', poolStats, {
    operationId: 'b',
    signal: cancelling.signal,
  });
  await until('the operation runs', () => release !== undefined);
  cancelling.abort(new Error('no longer wanted'));
  await assert.rejects(third, /no longer wanted/);
  await until('the cancellation arrives', () => cancelled.includes('b'));
});

test('a failure on the host arrives with its class and its attempts', async (t) => {
  const setup = await start(t);
  const { hostId } = await upHost(setup, {
    'pool.stats': async () => {
      throw Object.assign(new Error('no space left'), {
        code: 'POOL_FULL',
        failureClass: 'next-host',
        attempts: [],
      });
    },
  });
  await assert.rejects(
    setup.agents.gateway.call(hostId, 'pool.stats', poolStats, { operationId: 'op', signal }),
    (error) =>
      error instanceof AgentCallError &&
      error.code === 'POOL_FULL' &&
      error.failureClass === 'next-host' &&
      error.attempts?.length === 0,
  );
});

test('a guest that powers itself off is Stopped at once, with an event', async (t) => {
  const setup = await start(t);
  const { agent, hostId } = await upHost(setup, {});
  const templateId = await insertTemplate(setup.database, setup.cloud);
  const vm = await insertVm(setup.database, setup.cloud, { templateId, state: 'Running', hostId });
  await agent.peer.call(
    'vm.changed',
    { uuid: vm.vmUuid, instanceName: 'i', state: 'Stopped' },
    { id: 'changed', signal },
  );
  const row = await setup.database.selectFrom('vm_instance').selectAll().executeTakeFirstOrThrow();
  assert.equal(row.state, 'Stopped');
  assert.equal(row.host_id, null);
  assert.equal(row.last_host_id, hostId);
  const events = await setup.database.selectFrom('event').selectAll().where('type', '=', 'VM.STOP').execute();
  assert.equal(events.length, 1);
  assert.equal(events[0]?.resource_uuid, vm.vmUuid);
});

test('a report never fights a running job: the host is asked again when the job has ended', async (t) => {
  const setup = await start(t);
  const asked: string[] = [];
  const { agent, hostId } = await upHost(setup, {
    'vm.state': async ({ vm }) => {
      asked.push(vm.uuid);
      return { state: 'Stopped' };
    },
  });
  const templateId = await insertTemplate(setup.database, setup.cloud);
  const vm = await insertVm(setup.database, setup.cloud, { templateId, state: 'Running', hostId });
  await setup.database
    .insertInto('async_job')
    .values({
      uuid: vm.vmUuid,
      user_id: setup.cloud.userId,
      account_id: setup.cloud.accountId,
      job_cmd: 'rebootVirtualMachine',
      job_cmd_info: '{}',
      instance_type: 'VirtualMachine',
      instance_uuid: vm.vmUuid,
    })
    .execute();
  await agent.peer.call(
    'vm.changed',
    { uuid: vm.vmUuid, instanceName: 'i', state: 'Stopped' },
    { id: 'changed', signal },
  );
  const state = async () =>
    (await setup.database.selectFrom('vm_instance').select('state').executeTakeFirstOrThrow()).state;
  assert.equal(await state(), 'Running');
  assert.deepEqual(asked, []);
  await setup.database.updateTable('async_job').set({ job_status: 1 }).execute();
  await until('the report takes effect', async () => (await state()) === 'Stopped');
  assert.deepEqual(asked, [vm.vmUuid]);
});

test('hello corrects what the server believes: gone guests stop, strays are removed, running ones stay', async (t) => {
  const setup = await start(t);
  const templateId = await insertTemplate(setup.database, setup.cloud);
  const removed: string[] = [];
  const { identity, agent, hostId } = await upHost(setup, {});
  const gone = await insertVm(setup.database, setup.cloud, { templateId, state: 'Running', hostId });
  const unknown = await insertVm(setup.database, setup.cloud, { templateId, state: 'Unknown', hostId });
  const elsewhere = await insertVm(setup.database, setup.cloud, { templateId, state: 'Stopped' });
  agent.socket.terminate();
  const back = await connectAgent(setup.agents.port, identity, {
    'vm.remove': async ({ vm }) => {
      removed.push(vm.uuid);
      return {};
    },
  });
  const foreign = '0d5c1f0e-5a55-4a7e-8a51-9a6b7e0d7b10';
  const report = (uuid: string) => ({ uuid, instanceName: 'i', state: 'Running' as const });
  await back.peer.call(
    'host.hello',
    hello({ vms: [report(unknown.vmUuid), report(elsewhere.vmUuid), report(foreign)] }),
    { id: 'hello', signal },
  );
  const states = new Map(
    (await setup.database.selectFrom('vm_instance').select(['uuid', 'state']).execute()).map((row) => [
      row.uuid,
      row.state,
    ]),
  );
  assert.equal(states.get(gone.vmUuid), 'Stopped');
  assert.equal(states.get(unknown.vmUuid), 'Running');
  await until('the stray is removed', () => removed.length > 0);
  assert.deepEqual(removed, [elsewhere.vmUuid], 'a domain that is not ours is left alone');
});

test('a host that joins is not told the key of the authority', async (t) => {
  const { dataDir, agents, token } = await start(t);
  const key = await readFile(joinPaths(dataDir, 'ca/ca-key.pem'), 'utf8');
  const { pem } = await makeCertificateRequest();
  const answer = await postJoin(agents.port, {
    token: await token(),
    certificateRequest: pem,
    hostName: 'host-a',
  });
  assert.ok(!JSON.stringify(answer.body).includes(key.split('\n')[1]!));
});
