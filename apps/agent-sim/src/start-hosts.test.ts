import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import {
  type AgentMethods,
  type ParamsOf,
  RemoteError,
  serverMethods,
  type VmSpec,
  type VmStateReport,
} from '@millrace/agent-protocol';
import { silentLogger, sleep } from '@millrace/core';
import { makeTestAuthority } from '../../agent/src/testing/authority.ts';
import { startTestServer } from '../../agent/src/testing/server.ts';
import { makeTestVm } from '../../agent/src/testing/vm.ts';
import { localPoolPath } from './host/world.ts';
import { startHosts } from './start-hosts.ts';

/** Faults of a simulated host; what it does without them is in test/contracts/agent.ts. */

const pool = {
  uuid: '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77',
  type: 'Filesystem' as const,
  path: localPoolPath,
};
const { signal } = new AbortController();

async function startHost(t: { after(work: () => Promise<void>): void }) {
  const authority = await makeTestAuthority();
  const changes: VmStateReport[] = [];
  const server = await startTestServer({
    authority,
    hostUuid: randomUUID(),
    onReport: (method, params) => {
      if (method === 'vm.changed') changes.push(serverMethods['vm.changed'].params.parse(params));
    },
  });
  const stopping = new AbortController();
  const token = `mlr1.abcdefgh.${'x'.repeat(24)}.${authority.fingerprint}`;
  const hosts = await startHosts({
    serverUrl: server.url,
    hosts: [{ name: 'sim-1', token }],
    speed: 100,
    log: silentLogger,
    signal: stopping.signal,
  });
  t.after(async () => {
    stopping.abort(new Error('the test is over'));
    await hosts.ended;
    await server[Symbol.asyncDispose]();
  });
  let connected = await server.nextHello();
  const call = <M extends keyof AgentMethods>(method: M, params: ParamsOf<AgentMethods, M>) =>
    connected.peer.call(method, params, { id: randomUUID(), signal: AbortSignal.timeout(20_000) });
  const prepare = (query: string, installPath = 'image.qcow2') =>
    call('template.prepare', {
      pool,
      installPath,
      source: {
        url: `https://images.example/i?size=1&${query}`,
        headers: {},
        format: 'qcow2',
      },
      policy: {
        connectTimeoutMs: 1000,
        stallTimeoutMs: 1000,
        checksumAttempts: 3,
        maxRedirects: 3,
        maxVirtualSizeBytes: 4 * 1024 ** 3,
        maxTransferBytes: 4 * 1024 ** 3,
        sourceOrder: 'priority',
        egressAllowedCidrs: [],
      },
      location: [],
    });
  const deploy = async (query: string): Promise<VmSpec> => {
    const vm = makeTestVm({ pool });
    await prepare(query);
    const backing = { installPath: 'image.qcow2', format: 'qcow2' } as const;
    await call('volume.create', { pool, path: vm.rootDisk.path, backing, replace: true });
    await call('vm.start', { vm });
    return vm;
  };
  return {
    hosts,
    changes,
    call,
    prepare,
    deploy,
    async nextHello() {
      connected = await server.nextHello();
      return serverMethods['host.hello'].params.parse(connected.hello);
    },
  };
}

async function failureOf(work: Promise<unknown>): Promise<RemoteError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof RemoteError, String(error));
  return error;
}

test('images with faults fail as real ones do, with their attempts', async (t) => {
  const { prepare, hosts } = await startHost(t);
  const wrong = await failureOf(prepare('fault=wrong-bytes'));
  assert.deepEqual([wrong.data?.code, wrong.data?.failureClass], ['DIGEST_MISMATCH', 'next-host']);
  assert.deepEqual(
    wrong.data?.attempts?.map(({ checksumAttempt, state, next }) => [checksumAttempt, state, next]),
    [
      [1, 'failed', 'next-checksum-attempt'],
      [2, 'failed', 'next-checksum-attempt'],
      [3, 'failed', 'next-host'],
    ],
  );
  const refused = await failureOf(prepare('fault=not-an-image'));
  assert.deepEqual([refused.data?.code, refused.data?.failureClass], ['IMAGE_HEADER_INVALID', 'stop']);
  assert.equal((await failureOf(prepare('fault=no-space'))).data?.code, 'POOL_FULL');
  assert.equal((await failureOf(prepare('virtual=100'))).data?.code, 'IMAGE_TOO_LARGE');
  hosts.setFaults({ 'sim-1': { noSpace: true } });
  assert.equal((await failureOf(prepare(''))).data?.code, 'POOL_FULL');
  hosts.setFaults({});
  assert.equal((await prepare('')).reused, false);
});

test('a guest that crashes is reported; a host that is to refuse starts refuses them', async (t) => {
  const { deploy, changes, hosts, call } = await startHost(t);
  const vm = await deploy('fault=guest-crash');
  while (changes.at(-1)?.state !== 'Stopped') await sleep(10, signal);
  const { data } = await call('vm.console', { vm, offset: 0, limit: 10_000 });
  assert.match(Buffer.from(data, 'base64').toString(), /Kernel panic/);
  hosts.setFaults({ '*': { startRefused: true } });
  assert.equal((await failureOf(call('vm.start', { vm }))).data?.code, 'LIBVIRT_FAILED');
});

test('a host without a network comes back with its guests, one without power without them', async (t) => {
  const { deploy, hosts, nextHello } = await startHost(t);
  await deploy('');
  const begun = performance.now();
  hosts.setFaults({ 'sim-1': { disconnectSeconds: 0.3 } });
  const back = await nextHello();
  assert.ok(performance.now() - begun >= 290);
  assert.deepEqual(
    back.vms.map(({ state }) => state),
    ['Running'],
  );
  hosts.setFaults({ 'sim-1': { down: true } });
  await sleep(50, signal);
  hosts.setFaults({});
  const restarted = await nextHello();
  assert.deepEqual(
    restarted.vms.map(({ state }) => state),
    ['Stopped'],
  );
});
