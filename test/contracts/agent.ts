import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  type AgentMethods,
  agentMethods,
  type ImageProgressMessage,
  type ImageSourceMessage,
  type NetworkDefinition,
  type ParamsOf,
  type PoolReference,
  RemoteError,
  serverMethods,
  type VmSpec,
  type VmStateReport,
} from '@millrace/agent-protocol';
import { sleep } from '@millrace/core';
import type { Connected } from '../../apps/agent/src/testing/server.ts';

/** An agent that has joined a server for tests, with what the contract needs around it. */
export interface AgentUnderContract extends AsyncDisposable {
  readonly hostUuid: string;
  /** Its first hello. */
  readonly connected: Connected;
  /** Its local pool. */
  readonly pool: PoolReference;
  /** An image that it can bring at once, and one of which more arrives only after `release`. */
  readonly sources: { readonly good: ImageSourceMessage; readonly slow: ImageSourceMessage };
  readonly missing: ImageSourceMessage;
  release(): void;
  /** Every `vm.changed` so far. */
  readonly changes: readonly VmStateReport[];
  /** Cuts the connection, as a broken network does, and waits for the next hello. */
  reconnected(): Promise<Connected>;
}

const patienceMs = 60_000;
const { signal } = new AbortController();

const network: NetworkDefinition = {
  uuid: '7f0c1f1e-3d55-4a0e-9a38-1c1f0a5a7b11',
  name: 'millrace-guests',
  bridge: 'mlr0',
  gateway: '10.177.0.1',
  netmask: '255.255.255.0',
  rangeStart: '10.177.0.10',
  rangeEnd: '10.177.0.200',
};

/** What a server may rely on, whichever agent a host runs: the real one and the simulated one pass the same tests, in order. */
export function agentContract(
  name: string,
  { skip, start }: { readonly skip: string | false; readonly start: () => Promise<AgentUnderContract> },
): void {
  let agent: AgentUnderContract;
  let connected: Connected;
  let vm: VmSpec;

  before(async () => {
    if (skip) return;
    agent = await start();
    connected = agent.connected;
    vm = {
      uuid: '3c8d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f01',
      instanceName: 'i-2-1-VM',
      hostName: 'contract-1',
      cpus: 1,
      memoryMiB: 32,
      pool: agent.pool,
      rootDisk: { path: 'root-1.qcow2', format: 'qcow2', serial: 'root-1' },
      nics: [{ mac: '52:54:00:00:00:01', ip: '10.177.0.11', network }],
    };
  });
  after(async () => {
    if (!skip) await agent?.[Symbol.asyncDispose]();
  });

  const call = <M extends keyof AgentMethods>(
    method: M,
    params: ParamsOf<AgentMethods, M>,
    options: { readonly id?: string; readonly onProgress?: (value: never) => void } = {},
  ) =>
    connected.peer.call(method, params, {
      id: options.id ?? randomUUID(),
      signal: AbortSignal.timeout(patienceMs),
      ...(options.onProgress ? { onProgress: options.onProgress as never } : {}),
    });
  const prepareParams = (installPath: string, source: ImageSourceMessage) => ({
    pool: agent.pool,
    installPath,
    source,
    policy: {
      connectTimeoutMs: 10_000,
      stallTimeoutMs: 30_000,
      checksumAttempts: 3,
      maxRedirects: 3,
      maxVirtualSizeBytes: 4 * 1024 ** 3,
      maxTransferBytes: 4 * 1024 ** 3,
      sourceOrder: 'priority' as const,
      egressAllowedCidrs: ['127.0.0.1/32'],
    },
    location: [],
  });
  const reference = () => ({ uuid: vm.uuid, instanceName: vm.instanceName });
  const told = (state: string, since: number) =>
    until(`${state} is reported`, () => agent.changes.slice(since).some((change) => change.state === state));
  const title = (text: string) => `${name}: ${text}`;

  test(title('it joins, and says hello in the protocol with the name of its certificate'), { skip }, () => {
    const hello = serverMethods['host.hello'].params.parse(connected.hello);
    assert.equal(connected.commonName, agent.hostUuid);
    assert.equal(hello.localPool?.path, agent.pool.path);
    assert.ok(hello.localPool.availableBytes <= hello.localPool.capacityBytes);
    assert.deepEqual(hello.vms, []);
  });

  test(title('a template is brought once: progress, its attempts, and the next time no byte'), {
    skip,
  }, async () => {
    const seen: ImageProgressMessage[] = [];
    const first = await call('template.prepare', prepareParams('good.qcow2', agent.sources.good), {
      onProgress: (value) => void seen.push(value),
    });
    assert.ok(seen.length > 0);
    for (const value of seen) agentMethods['template.prepare'].progress.parse(value);
    assert.equal(first.reused, false);
    assert.ok(first.transferredBytes > 0 && first.virtualSizeBytes > 0);
    assert.match(first.checksum, /^\{[A-Z0-9-]+\}[0-9a-f]+$/);
    const last = first.attempts.at(-1)!;
    assert.deepEqual(
      [last.sourceRank, last.checksumAttempt, last.tryNumber, last.state, last.next],
      [1, 1, 1, 'succeeded', 'done'],
    );
    const check = await call('template.check', { pool: agent.pool, installPath: 'good.qcow2' });
    assert.deepEqual(check, { present: true, sizeBytes: first.sizeBytes });
    const again = await call('template.prepare', prepareParams('good.qcow2', agent.sources.good));
    assert.deepEqual([again.reused, again.transferredBytes, again.attempts], [true, 0, []]);
  });

  test(title('an image that is not there is a failure with its class and every attempt'), {
    skip,
  }, async () => {
    const failure = await call('template.prepare', prepareParams('none.qcow2', agent.missing)).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(failure instanceof RemoteError, String(failure));
    assert.ok(failure.data?.failureClass);
    assert.equal(failure.data.attempts?.at(-1)?.reason, 'HTTP_NOT_FOUND');
    const check = await call('template.check', { pool: agent.pool, installPath: 'none.qcow2' });
    assert.deepEqual(check, { present: false });
  });

  test(title('a transfer outlives its connection and is joined by its id'), { skip }, async () => {
    const id = randomUUID();
    const params = prepareParams('slow.qcow2', agent.sources.slow);
    const begun = Promise.withResolvers<void>();
    const lost = call('template.prepare', params, { id, onProgress: () => begun.resolve() });
    lost.catch(() => {});
    await begun.promise;
    connected = await agent.reconnected();
    await assert.rejects(lost);
    const seen: ImageProgressMessage[] = [];
    const joined = call('template.prepare', params, { id, onProgress: (value) => void seen.push(value) });
    await until('the joined transfer tells where it stands', () => seen.length > 0);
    agent.release();
    const result = await joined;
    assert.equal(result.reused, false, 'it is the transfer that was begun, not another one');
    assert.equal(result.attempts.length, 1);
    const again = await call('template.prepare', params, { id });
    assert.deepEqual(again, result, 'an answer that may have been lost is given again');
    await call('template.remove', { pool: agent.pool, installPath: 'slow.qcow2' });
  });

  test(title('malformed requests, unknown methods and reused ids are refused, and it goes on'), {
    skip,
  }, async () => {
    await assert.rejects(
      call('template.check', { pool: agent.pool, installPath: '../outside' }),
      /installPath/,
    );
    await assert.rejects(
      call('pool.stats', { pool: { ...agent.pool, path: '/etc' } }),
      (error: unknown) => error instanceof RemoteError && error.data?.code === 'POOL_UNAVAILABLE',
    );
    await assert.rejects(call('vm.start', {} as never), /vm/);
    const id = randomUUID();
    await call('volume.remove', { pool: agent.pool, path: 'nothing.qcow2' }, { id });
    await assert.rejects(call('vm.remove', { vm: reference() }, { id }), /cannot be asked for as vm\.remove/);
    const { capacityBytes } = await call('pool.stats', { pool: agent.pool });
    assert.ok(capacityBytes > 0);
  });

  test(title('a disk stands on its template, without one it is refused; a machine starts once'), {
    skip,
  }, async () => {
    const disk = { pool: agent.pool, path: vm.rootDisk.path, replace: false };
    const on = (installPath: string) => ({ backing: { installPath, format: 'qcow2' as const } });
    await assert.rejects(
      call('volume.create', { ...disk, ...on('gone.qcow2') }),
      (error: unknown) => error instanceof RemoteError && error.data?.code === 'TEMPLATE_MISSING',
    );
    await assert.rejects(
      call('vm.start', { vm }),
      (error: unknown) => error instanceof RemoteError && error.data?.code === 'VOLUME_MISSING',
    );
    const made = await call('volume.create', { ...disk, ...on('good.qcow2') });
    assert.deepEqual(await call('volume.create', { ...disk, ...on('good.qcow2') }), made);
    assert.equal((await call('vm.state', { vm: reference() })).state, 'Missing');
    const since = agent.changes.length;
    const started = await call('vm.start', { vm });
    assert.deepEqual([started.state, started.startedNow], ['Running', true]);
    await told('Running', since);
    assert.deepEqual(await call('vm.start', { vm }), { state: 'Running', startedNow: false, startMs: 0 });
    assert.equal((await call('vm.state', { vm: reference() })).state, 'Running');
    await until('the guest says something', async () => {
      const { data } = await call('vm.console', { vm: reference(), offset: 0, limit: 1000 });
      return data.length > 0;
    });
  });

  test(title('a hello tells what runs; a reboot leaves it running, a stop is told'), { skip }, async () => {
    connected = await agent.reconnected();
    const hello = serverMethods['host.hello'].params.parse(connected.hello);
    assert.deepEqual(hello.vms, [{ ...reference(), state: 'Running' }]);
    const rebooted = await call('vm.reboot', { vm: reference(), forced: true, timeoutSeconds: 1 });
    assert.equal(rebooted.state, 'Running');
    const since = agent.changes.length;
    const stopped = await call('vm.stop', { vm: reference(), forced: true, timeoutSeconds: 1 });
    assert.deepEqual(stopped, { state: 'Stopped', forcedAfterTimeout: false });
    await told('Stopped', since);
    const again = await call('vm.stop', { vm: reference(), forced: true, timeoutSeconds: 1 });
    assert.equal(again.state, 'Stopped');
  });

  test(title('removing leaves nothing, and again is fine'), { skip }, async () => {
    const since = agent.changes.length;
    for (const _ of ['once', 'again']) {
      await call('vm.remove', { vm: reference() });
      await call('volume.remove', { pool: agent.pool, path: vm.rootDisk.path });
      await call('template.remove', { pool: agent.pool, installPath: 'good.qcow2' });
    }
    await told('Missing', since);
    assert.equal((await call('vm.state', { vm: reference() })).state, 'Missing');
    const check = await call('template.check', { pool: agent.pool, installPath: 'good.qcow2' });
    assert.deepEqual(check, { present: false });
  });
}

async function until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await look())) {
    if (performance.now() > deadline) assert.fail(`${what}: not within ${patienceMs / 1000} s`);
    await sleep(20, signal);
  }
}
