import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '@millrace/core';
import { AgentCallError } from '../domain/failure-policy.ts';
import { until } from '../jobs/testing/job-fixture.ts';
import { recoverHosts, startAgain } from './high-availability.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

type Outcome = 'silent' | 'renewed' | 'released';

/** Three hosts with a pool that all reach; an instance runs on the first, which is then lost. */
async function lostHost(
  t: TestContext,
  options: { readonly ha?: boolean; readonly outcome?: Outcome; readonly shared?: boolean } = {},
) {
  const fixture = await startWorkflows(t, { hosts: 3 });
  const { database, cloud, hosts } = fixture;
  const [first] = hosts;
  if (options.shared !== false) {
    await database.updateTable('storage_pool').set({ status: 'Disabled' }).execute();
    const pool = await database
      .insertInto('storage_pool')
      .values({
        uuid: randomUUID(),
        name: 'shared',
        pool_type: 'SharedMountPoint',
        scope: 'ZONE',
        path: '/mnt/shared',
        data_center_id: cloud.zoneId,
        capacity_bytes: 1e12,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    for (const { hostId } of hosts)
      await database
        .insertInto('storage_pool_host_ref')
        .values({ pool_id: pool.id, host_id: hostId, local_path: '/mnt/shared' })
        .execute();
  }
  // the hosts have one set of files
  fixture.agents.script('every', 'vm.start', async ({ vm }, { hostId }) => {
    started.push({ hostId, ha: vm.ha });
    return { state: 'Running', startedNow: true, startMs: 1 };
  });
  const started: { hostId: number; ha: unknown }[] = [];
  const watched: { hostId: number; evict: boolean; seconds: number }[] = [];
  let outcome = options.outcome ?? 'silent';
  fixture.agents.script('every', 'pool.lease.watch', async ({ evict, seconds }, { hostId }) => {
    watched.push({ hostId, evict, seconds });
    return { outcome };
  });
  const vm = await fixture.newVm();
  await database
    .updateTable('vm_instance')
    .set({ ha_enabled: options.ha ?? true })
    .execute();
  const job = await fixture.run('deployVirtualMachine', {
    vmId: vm.vmId,
    startVm: true,
    hostId: first!.hostId,
  });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  const setHost = (values: { status?: string; resource_state?: string; last_ping?: Date }) =>
    database.updateTable('host').set(values).where('id', '=', first!.hostId).execute();
  await setHost({ status: 'Disconnected' });
  const controller = new AbortController();
  const deps = { database, jobs: fixture.jobs, log: silentLogger, signal: controller.signal };
  return {
    ...fixture,
    ...vm,
    first: first!,
    deps,
    started,
    watched,
    setHost,
    willSay: (next: Outcome) => {
      outcome = next;
    },
    recovered: async () => {
      assert.equal(await recoverHosts(deps), 1);
      return until('the end of the recovery', () => lastJob(fixture, 'recoverLostHost'));
    },
  };
}

async function lastJob({ database }: WorkflowFixture, command: string) {
  const job = await database
    .selectFrom('async_job')
    .selectAll()
    .where('job_cmd', '=', command)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return job && job.job_status !== 0 ? job : undefined;
}

test('an instance whose host was silent for long enough is started elsewhere, and its host counts as Down', async (t) => {
  const cloud = await lostHost(t);
  assert.deepEqual(cloud.started, [{ hostId: cloud.first.hostId, ha: { leaseSeconds: 30 } }]);
  const job = await cloud.recovered();
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  const vm = await until('it runs', async () => {
    const row = await cloud.vm(cloud.vmId);
    return row.state === 'Running' && row;
  });
  assert.notEqual(vm.host_id, cloud.first.hostId);
  assert.deepEqual([vm.ha_lease_seconds, vm.ha_restart], [30, false]);
  assert.equal(cloud.watched.length, 1);
  assert.notEqual(cloud.watched[0]!.hostId, cloud.first.hostId, 'no host watches itself');
  assert.deepEqual([cloud.watched[0]!.evict, cloud.watched[0]!.seconds], [false, 45]);
  const host = await cloud.database
    .selectFrom('host')
    .select('status')
    .where('id', '=', cloud.first.hostId)
    .executeTakeFirstOrThrow();
  assert.equal(host.status, 'Down');
});

test('a host that renews its lease keeps its instance; the operator’s word also evicts it', async (t) => {
  const cloud = await lostHost(t, { outcome: 'renewed' });
  const job = await cloud.recovered();
  assert.equal(job.job_status, 2);
  assert.match(JSON.stringify(job.job_result), /renews its lease.*declareHostAsDegraded/);
  const vm = await cloud.vm(cloud.vmId);
  assert.deepEqual([vm.state, vm.host_id], ['Running', cloud.first.hostId]);
  assert.equal(await recoverHosts(cloud.deps), 0, 'not again at once');
  cloud.willSay('released');
  await cloud.setHost({ resource_state: 'Degraded' });
  await cloud.database
    .updateTable('async_job')
    .set({ completed: new Date(0) })
    .execute();
  assert.equal(await recoverHosts(cloud.deps), 1);
  await until('it runs elsewhere', async () => {
    const row = await cloud.vm(cloud.vmId);
    return row.state === 'Running' && row.host_id !== cloud.first.hostId;
  });
  assert.equal(cloud.watched.at(-1)!.evict, true);
});

test('a host that was heard of during the watch keeps its instance', async (t) => {
  const cloud = await lostHost(t);
  cloud.agents.script('every', 'pool.lease.watch', async () => {
    await cloud.setHost({ last_ping: new Date(Date.now() + 1000) });
    return { outcome: 'silent' };
  });
  const job = await cloud.recovered();
  assert.equal(job.job_status, 2);
  assert.deepEqual(cloud.started.length, 1);
  assert.equal((await cloud.vm(cloud.vmId)).host_id, cloud.first.hostId);
});

test('an instance without high availability, or on a local disk, stays, and the second one says why', async (t) => {
  const plain = await lostHost(t, { ha: false });
  assert.equal(await recoverHosts(plain.deps), 0);
  const local = await lostHost(t, { shared: false });
  await local.setHost({ status: 'Alert' });
  assert.equal(await recoverHosts(local.deps), 0);
  assert.equal(await recoverHosts(local.deps), 0);
  const told = await local.database
    .selectFrom('event')
    .select('description')
    .where('type', '=', 'ALERT.USERVM')
    .execute();
  assert.equal(told.length, 1);
  assert.match(
    told[0]!.description,
    /stays on its lost host: its disk is on storage that only its host reaches/,
  );
});

test('two servers begin one recovery, and a dead server’s recovery is gone on with', async (t) => {
  const cloud = await lostHost(t);
  const counts = await Promise.all([recoverHosts(cloud.deps), recoverHosts(cloud.deps)]);
  assert.equal(counts[0]! + counts[1]!, 1);
  await cloud.jobs.stop(100);
  await cloud.restartJobs(t, 'two');
  await until('it runs elsewhere', async () => {
    const row = await cloud.vm(cloud.vmId);
    return row.state === 'Running' && row.host_id !== cloud.first.hostId;
  });
  assert.equal(cloud.started.length, 2, 'started elsewhere once');
});

test('a start whose answer was lost is not tried elsewhere: it may run, and its disk stays', async (t) => {
  const cloud = await lostHost(t);
  await cloud.setHost({ status: 'Up' });
  const vm = await cloud.newVm();
  cloud.agents.script(cloud.first.hostId, 'vm.start', async () => {
    throw new AgentCallError('AGENT_UNAVAILABLE', 'the host went away', { failureClass: 'next-host' });
  });
  const first = await cloud.run('deployVirtualMachine', {
    vmId: vm.vmId,
    startVm: true,
    hostId: cloud.first.hostId,
  });
  assert.equal(first.job_status, 2);
  assert.match(JSON.stringify(first.job_result), /went away while it started the instance/);
  const row = await cloud.vm(vm.vmId);
  assert.deepEqual([row.state, row.host_id], ['Unknown', cloud.first.hostId]);
  const volume = await cloud.database
    .selectFrom('volumes')
    .select(['state', 'removed'])
    .where('instance_id', '=', vm.vmId)
    .executeTakeFirstOrThrow();
  assert.deepEqual(volume, { state: 'Ready', removed: null });
});

test('an instance that ended by itself is started again, once its last start is a while ago', async (t) => {
  const cloud = await lostHost(t);
  await cloud.database
    .updateTable('vm_instance')
    .set({ state: 'Stopped', host_id: null, ha_restart: true })
    .where('id', '=', cloud.vmId)
    .execute();
  await cloud.setHost({ status: 'Up' });
  const now = { failed: 0, succeeded: 0 };
  assert.equal(await startAgain(cloud.deps, now), 1);
  await until('it runs', async () => (await cloud.vm(cloud.vmId)).state === 'Running');
  assert.equal((await cloud.vm(cloud.vmId)).ha_restart, false);
  assert.equal(await startAgain(cloud.deps, now), 0);
});
