import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import {
  type AgentMethods,
  ConnectionLost,
  type Handlers,
  serverMethods,
  type VmStateReport,
} from '@millrace/agent-protocol';
import { silentLogger, sleep } from '@millrace/core';
import type { HostFacts } from '../host/facts.ts';
import { makeCertificateRequest } from '../join/certificate-request.ts';
import { joinServer } from '../join/join.ts';
import { makeOperations, throughOperations } from '../operations.ts';
import { makeWatch } from '../reconcile/watch.ts';
import type { Identity } from '../state/identity.ts';
import { makeTestAuthority, type TestAuthority } from '../testing/authority.ts';
import { startTestServer } from '../testing/server.ts';
import { runSession, type SessionDeps } from './session.ts';

const hostUuid = 'b2a0b1f4-5d5a-4a5f-9d5e-0a1b2c3d4e5f';
const vm: VmStateReport = {
  uuid: '3c8d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f40',
  instanceName: 'i-2-3-VM',
  state: 'Running',
};
const pool = { uuid: hostUuid, type: 'Filesystem', path: '/pool' } as const;
const facts: HostFacts = {
  protocolVersion: 1,
  agentVersion: '0.1.0',
  hostName: 'host-1',
  arch: 'x86_64',
  cpus: 2,
  cpuMhz: 2000,
  memoryBytes: 1 << 30,
  hypervisorVersion: 'QEMU 7.2.22',
  virtType: 'qemu',
  addresses: ['192.0.2.1'],
};
const never = new AbortController().signal;
const waitMs = 20_000;

let authority: TestAuthority;
let identity: Identity;
before(async () => {
  authority = await makeTestAuthority();
  await using server = await startTestServer({ authority, hostUuid });
  identity = await joinServer({
    serverUrl: server.url,
    token: `mlr1.abcdefgh.${'x'.repeat(24)}.${authority.fingerprint}`,
    hostName: 'host-1',
    makeCertificateRequest,
    signal: never,
  });
});

const running = new Set<{ stop(): Promise<void> }>();
after(async () => {
  for (const session of running) await session.stop();
});

/** A handler table of which only the given methods work. */
function handlersWith(given: Partial<Handlers<AgentMethods>>): Handlers<AgentMethods> {
  return given as Handlers<AgentMethods>;
}

function startSession(servers: string | readonly string[], deps: Partial<SessionDeps> = {}) {
  const controller = new AbortController();
  const done = runSession(
    {
      serverUrls: [servers].flat(),
      identity,
      handlersFor: () => handlersWith({}),
      facts: async () => facts,
      load: async () => ({ memoryFreeBytes: 1, loadAverage: 0.5 }),
      listVms: async () => [vm],
      watch: { connected: () => () => {} },
      setLimits: () => {},
      log: silentLogger,
      random: () => 0,
      ...deps,
    },
    controller.signal,
  );
  const session = {
    async stop() {
      running.delete(session);
      controller.abort(new Error('stopping'));
      await done;
    },
  };
  running.add(session);
  return session;
}

async function soon<T>(promise: Promise<T>): Promise<T> {
  const late = new AbortController();
  try {
    return await Promise.race([
      promise,
      sleep(waitMs, late.signal).then(() => Promise.reject(new Error(`nothing within ${waitMs} ms`))),
    ]);
  } finally {
    late.abort();
  }
}

test('the agent says hello with its certificate, its facts and every VM, then heartbeats', async () => {
  const beats = Promise.withResolvers<unknown>();
  await using server = await startTestServer({
    authority,
    hostUuid,
    heartbeatMs: 20,
    onReport: (_, params) => beats.resolve(params),
  });
  const session = startSession(server.url);
  const { hello, commonName } = await soon(server.nextHello());
  assert.equal(commonName, hostUuid);
  assert.deepEqual(serverMethods['host.hello'].params.parse(hello), { ...facts, vms: [vm] });
  assert.deepEqual(await soon(beats.promise), { memoryFreeBytes: 1, loadAverage: 0.5 });
  await session.stop();
});

test('the limits in the answer to a heartbeat reach whoever keeps to them', async () => {
  const told = Promise.withResolvers<unknown>();
  const limits = { hostBytesPerSecond: 7 };
  await using server = await startTestServer({ authority, hostUuid, heartbeatMs: 20, limits });
  const session = startSession(server.url, { setLimits: told.resolve });
  assert.deepEqual(await soon(told.promise), limits);
  await session.stop();
});

test('an operation survives a dropped connection: asked again it goes on where it stands', async () => {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let runs = 0;
  const operations = makeOperations({ now: () => 0, log: silentLogger, reads: new Set() });
  const handlers = handlersWith({
    'template.prepare': async ({ installPath }, { progress }) => {
      runs++;
      progress({ phase: 'transferring', bytes: 5, bytesPerSecond: 1, attempts: [] });
      begun.resolve();
      await gate.promise;
      return {
        installPath,
        format: 'qcow2',
        sizeBytes: 10,
        virtualSizeBytes: 10,
        transferredBytes: 10,
        reused: false,
        checksum: '',
        attempts: [],
        warnings: [],
        phaseMs: {},
      };
    },
  });
  await using server = await startTestServer({ authority, hostUuid });
  const session = startSession(server.url, { handlersFor: () => throughOperations(handlers, operations) });
  const params = {
    pool,
    installPath: 'tpl.qcow2',
    source: { url: 'https://example.com/a.qcow2', headers: {}, format: 'qcow2' as const },
    policy: {
      connectTimeoutMs: 1,
      stallTimeoutMs: 1,
      checksumAttempts: 3,
      maxRedirects: 1,
      maxVirtualSizeBytes: 1,
      maxTransferBytes: 1,
      sourceOrder: 'priority' as const,
      egressAllowedCidrs: [],
    },
    location: [],
  };
  const first = await soon(server.nextHello());
  const lost = first.peer.call('template.prepare', params, { id: 'job-1', signal: never });
  await soon(begun.promise);
  server.cut();
  await assert.rejects(lost, ConnectionLost);

  const second = await soon(server.nextHello());
  const progress = Promise.withResolvers<number>();
  const joined = second.peer.call('template.prepare', params, {
    id: 'job-1',
    signal: never,
    onProgress: ({ bytes }) => progress.resolve(bytes),
  });
  assert.equal(await soon(progress.promise), 5);
  gate.resolve();
  assert.equal((await soon(joined)).installPath, 'tpl.qcow2');
  assert.equal(runs, 1);
  await session.stop();
});

test('the agent comes back to a server that was gone for a while', async () => {
  const first = await startTestServer({ authority, hostUuid });
  const { port, url } = first;
  const session = startSession(url);
  await soon(first.nextHello());
  await first[Symbol.asyncDispose]();
  await sleep(300, never);
  await using second = await startTestServer({ authority, hostUuid, port });
  await soon(second.nextHello());
  await session.stop();
});

test('the agent is connected to every server: when one dies, another joins the operation it had asked for', async () => {
  const first = await startTestServer({ authority, hostUuid });
  await using second = await startTestServer({ authority, hostUuid });
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let runs = 0;
  const operations = makeOperations({ now: () => 0, log: silentLogger, reads: new Set() });
  const handlers = handlersWith({
    'vm.stop': async () => {
      runs++;
      begun.resolve();
      await gate.promise;
      return { state: 'Stopped', forcedAfterTimeout: false };
    },
  });
  const session = startSession([first.url, second.url], {
    handlersFor: () => throughOperations(handlers, operations),
  });
  const params = {
    vm: { uuid: vm.uuid, instanceName: vm.instanceName },
    forced: false,
    timeoutSeconds: 10,
  };
  const there = await soon(first.nextHello());
  const lost = there.peer.call('vm.stop', params, { id: 'job-1', signal: never });
  await soon(begun.promise);
  const rejected = assert.rejects(lost, ConnectionLost);
  first.cut();
  await first[Symbol.asyncDispose]();
  await rejected;

  const here = await soon(second.nextHello());
  const joined = here.peer.call('vm.stop', params, { id: 'job-1', signal: never });
  gate.resolve();
  await soon(joined);
  assert.equal(runs, 1);
  await session.stop();
});

test('a dead server of the list keeps no host away from the others', async () => {
  await using alive = await startTestServer({ authority, hostUuid });
  await using other = await startTestServer({ authority, hostUuid });
  const session = startSession(['https://127.0.0.1:9', alive.url, other.url]);
  await soon(alive.nextHello());
  await soon(other.nextHello());
  await session.stop();
});

test('the agent does not talk to a server of another CA, nor to one that is only a host of the right one', async () => {
  const reasons: string[] = [];
  const second = Promise.withResolvers<void>();
  const log = {
    ...silentLogger,
    warn: (fields: object) => {
      reasons.push(String((fields as { reason?: unknown }).reason));
      if (reasons.length === 1) second.resolve();
    },
  };
  await using impostor = await startTestServer({ authority: await makeTestAuthority(), hostUuid });
  const session = startSession(impostor.url, { log });
  await soon(second.promise);
  await session.stop();
  assert.match(reasons[0]!, /certificate|issuer|signature/i);

  const third = Promise.withResolvers<string>();
  await using host = await startTestServer({ authority, hostUuid, dnsName: 'another-host' });
  const other = startSession(host.url, {
    log: {
      ...silentLogger,
      warn: (fields) => third.resolve(String((fields as { reason?: unknown }).reason)),
    },
  });
  assert.match(await soon(third.promise), /millrace-server/);
  await other.stop();
});

test('a refused connection is logged with the server’s own words', async () => {
  const reason = Promise.withResolvers<string>();
  await using server = await startTestServer({ authority, hostUuid, refusal: 'this host was removed' });
  const session = startSession(server.url, {
    log: {
      ...silentLogger,
      warn: (fields) => reason.resolve(String((fields as { reason?: unknown }).reason)),
    },
  });
  assert.match(await soon(reason.promise), /403: this host was removed/);
  await session.stop();
});

test('a host whose libvirt does not answer stays away instead of reporting that it has no VMs', async () => {
  let answers = false;
  const asked = Promise.withResolvers<void>();
  await using server = await startTestServer({ authority, hostUuid });
  const session = startSession(server.url, {
    facts: async () => {
      if (answers) return facts;
      asked.resolve();
      throw new Error('libvirt does not answer');
    },
  });
  const hello = server.nextHello();
  await soon(asked.promise);
  answers = true;
  await soon(hello);
  await session.stop();
});

test('a changed VM is reported, and what could not be reported is reported after reconnecting', async () => {
  let state: VmStateReport['state'] = 'Running';
  const reports: string[] = [];
  const reported = Promise.withResolvers<void>();
  const watch = makeWatch({ list: async () => [{ ...vm, state }], log: silentLogger });
  const stopWatch = new AbortController();
  const watching = watch.run(stopWatch.signal);
  await using server = await startTestServer({
    authority,
    hostUuid,
    onReport: (method, params) => {
      if (method !== 'vm.changed') return;
      reports.push((params as VmStateReport).state);
      reported.resolve();
    },
  });
  const session = startSession(server.url, { watch, listVms: async () => [{ ...vm, state }] });
  await soon(server.nextHello());
  state = 'Stopped';
  watch.onEvent({ domain: vm.instanceName, kind: 'lifecycle', detail: 'Stopped Shutdown' });
  await soon(reported.promise);
  assert.deepEqual(reports, ['Stopped']);

  server.cut();
  state = 'Running';
  watch.onEvent({ domain: vm.instanceName, kind: 'lifecycle', detail: 'Started Booted' });
  const { hello } = await soon(server.nextHello());
  assert.deepEqual((hello as { vms: unknown }).vms, [{ ...vm, state: 'Running' }]);
  await session.stop();
  stopWatch.abort();
  await watching;
});

test('a connection that has gone silent is given up and opened anew', async () => {
  await using server = await startTestServer({ authority, hostUuid });
  // a router that lost its memory: the connections it carries so far pass nothing more, without a word
  const freezes: (() => void)[] = [];
  const proxy = createServer((client) => {
    const upstream = connect(server.port, '127.0.0.1');
    let frozen = false;
    freezes.push(() => {
      frozen = true;
    });
    const forward = (from: Socket, to: Socket) => {
      from.on('readable', () => {
        for (let chunk = from.read(); chunk !== null; chunk = from.read()) if (!frozen) to.write(chunk);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    };
    forward(client, upstream);
    forward(upstream, client);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  const session = startSession(`https://127.0.0.1:${port}`, { pingMs: 100 });
  await soon(server.nextHello());
  for (const freeze of freezes) freeze();
  await soon(server.nextHello());
  await session.stop();
  server.cut();
  proxy.close();
});
