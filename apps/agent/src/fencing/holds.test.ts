import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { VmSpec } from '@millrace/agent-protocol';
import { silentLogger, sleep, spawnProgram } from '@millrace/core';
import { makePoolLeaseWatch } from '../handlers/pool-lease-watch.ts';
import { makeHolds } from './holds.ts';
import { uptimeSeconds } from './uptime.ts';

/** The real guard on processes that only look like QEMU's, and a directory that stands for the shared pool. */

const hostUuid = 'b2a0b1f4-5d5a-4a5f-9d5e-0a1b2c3d4e5f';
const poolUuid = '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77';
const vmUuid = '3c8d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f40';
const { signal } = new AbortController();
const leaseSeconds = 3;

async function startHost(t: TestContext) {
  const scratch = await mkdtemp(join(tmpdir(), 'millrace-holds-'));
  const [pool, pids, directory] = ['pool', 'pids', 'holds'].map((name) => join(scratch, name));
  for (const each of [pool!, pids!, directory!]) await mkdir(each);
  await writeFile(join(pool!, '.millrace-pool'), `${poolUuid}\n`);
  const guest = spawnProgram('sh', ['-c', 'while :; do sleep 1; done', 'qemu', '-uuid', vmUuid], {
    signal,
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  await writeFile(join(pids!, 'i-2-3-VM.pid'), String(guest.pid));
  const ended = once(guest, 'exit').then(() => uptimeSeconds());
  const options = { directory: directory!, pids: pids!, hostUuid, log: silentLogger, everyMs: 200 };
  const startAgent = () => {
    const stop = new AbortController();
    const holds = makeHolds(options);
    const running = holds.run(stop.signal);
    const end = async () => {
      stop.abort();
      await running;
    };
    // also when an assertion fails: what renews for ever keeps the process
    t.after(end);
    return { holds, stop: end };
  };
  t.after(async () => {
    guest.kill('SIGKILL');
    // the guard ends when there is nothing to guard: without its directory it cannot say that it lives
    await rm(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 500 });
  });
  const vm = {
    uuid: vmUuid,
    instanceName: 'i-2-3-VM',
    pool: { uuid: poolUuid, type: 'SharedMountPoint', path: pool! },
    ha: { leaseSeconds },
  } as unknown as VmSpec;
  const watch = (options: { seconds: number; evict: boolean }) =>
    makePoolLeaseWatch()({ pool: vm.pool, hostUuid, ...options }, {
      id: 'job/watch',
      signal: AbortSignal.timeout(30_000),
      progress: () => {},
    } as never);
  return { pool: pool!, guest, ended, startAgent, vm, watch };
}

test('an instance runs on while its host renews its lease, and another host sees that it does', async (t) => {
  const host = await startHost(t);
  const agent = host.startAgent();
  await agent.holds.hold(host.vm, signal);
  await sleep((leaseSeconds + 3) * 1000, signal);
  assert.equal(host.guest.exitCode ?? host.guest.signalCode, null);
  assert.deepEqual(await host.watch({ seconds: 5, evict: false }), { outcome: 'renewed' });
  await agent.holds.release(vmUuid);
  // a renewal that was under way removes what it wrote
  for (let looks = 0; looks < 20 && (await readdir(host.pool)).length > 1; looks++) await sleep(100, signal);
  assert.deepEqual(await readdir(host.pool), ['.millrace-pool']);
});

test('a host whose agent is gone and hears of nobody ends the instance, before another host may start it', async (t) => {
  const host = await startHost(t);
  const agent = host.startAgent();
  await agent.holds.hold(host.vm, signal);
  await agent.stop();
  const verdict = host.watch({ seconds: leaseSeconds + 5, evict: false }).then(({ outcome }) => ({
    outcome,
    at: uptimeSeconds(),
  }));
  const endedAt = await host.ended;
  const { outcome, at } = await verdict;
  assert.equal(outcome, 'silent');
  assert.ok(endedAt < at, `ended ${endedAt}, given free ${at}`);
  assert.equal(host.guest.signalCode, 'SIGKILL');
});

test('a pool that is another one now is no reason to end what a server can be asked about', async (t) => {
  const host = await startHost(t);
  const agent = host.startAgent();
  await agent.holds.hold(host.vm, signal);
  await writeFile(join(host.pool, '.millrace-pool'), 'another\n');
  for (let beats = 0; beats < 14; beats++) {
    agent.holds.heard(uptimeSeconds());
    await sleep(500, signal);
  }
  assert.equal(host.guest.signalCode, null, 'the server was heard');
  const heardAt = uptimeSeconds();
  const endedAt = await host.ended;
  assert.ok(endedAt - heardAt < leaseSeconds + 3, `${endedAt - heardAt} s`);
  await agent.stop();
});

test('a host that is told so through the pool ends its instances and says it', async (t) => {
  const host = await startHost(t);
  const agent = host.startAgent();
  await agent.holds.hold(host.vm, signal);
  assert.deepEqual(await host.watch({ seconds: 20, evict: true }), { outcome: 'released' });
  assert.equal(host.guest.signalCode, 'SIGKILL');
  assert.deepEqual(
    (await readdir(host.pool)).toSorted(),
    [`.millrace-lease-${hostUuid}`, '.millrace-pool'].toSorted(),
  );
  assert.match(
    await readFile(join(host.pool, `.millrace-lease-${hostUuid}`), 'utf8'),
    /^released job\/watch/,
  );
  await agent.stop();
});

test('an agent that is started again goes on with what it held', async (t) => {
  const host = await startHost(t);
  const first = host.startAgent();
  await first.holds.hold(host.vm, signal);
  await first.stop();
  const second = host.startAgent();
  await sleep((leaseSeconds + 3) * 1000, signal);
  assert.equal(host.guest.signalCode, null);
  await second.stop();
});
