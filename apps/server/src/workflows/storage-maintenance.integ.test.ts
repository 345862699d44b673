import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { spawnProgram } from '@millrace/core';
import { jobEnded, until } from '../jobs/testing/job-fixture.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

type Command = 'enableStorageMaintenance' | 'cancelStorageMaintenance';

const run = async (fixture: WorkflowFixture, command: Command, poolId: number) =>
  jobEnded(fixture.database, await enqueue(fixture, command, poolId));

async function enqueue(
  { database, jobs, cloud }: WorkflowFixture,
  command: Command,
  poolId: number,
): Promise<string> {
  const pool = await database
    .updateTable('storage_pool')
    .set({ status: command === 'enableStorageMaintenance' ? 'PrepareForMaintenance' : 'Up' })
    .where('id', '=', poolId)
    .returning('uuid')
    .executeTakeFirstOrThrow();
  return database.transaction().execute((trx) =>
    jobs.enqueue(trx, {
      command,
      parameters: { poolId },
      userId: cloud.userId,
      accountId: cloud.accountId,
      instanceType: 'StoragePool',
      instanceUuid: pool.uuid,
    }),
  );
}

const statusOf = async ({ database }: WorkflowFixture, poolId: number) =>
  (
    await database
      .selectFrom('storage_pool')
      .select('status')
      .where('id', '=', poolId)
      .executeTakeFirstOrThrow()
  ).status;

test('maintenance stops what has a disk on the pool, keeps it stopped, and starts it again afterwards', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 2 });
  const [first, second] = [await fixture.newVm(), await fixture.newVm()];
  const off = await fixture.newVm({ startVm: false });
  for (const { vmId } of [first, second]) await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  await fixture.run('deployVirtualMachine', { vmId: off.vmId, startVm: false });
  const disk = await fixture.database
    .selectFrom('volumes')
    .select('pool_id')
    .where('instance_id', '=', first.vmId)
    .executeTakeFirstOrThrow();
  const poolId = disk.pool_id!;
  await fixture.database.updateTable('volumes').set({ pool_id: poolId }).execute();
  const enabled = await run(fixture, 'enableStorageMaintenance', poolId);
  assert.equal(enabled.job_status, 1, JSON.stringify(enabled.job_result));
  assert.equal(await statusOf(fixture, poolId), 'Maintenance');
  const states = async () =>
    (await Promise.all([first, second, off].map(({ vmId }) => fixture.vm(vmId)))).map((vm) => vm.state);
  assert.deepEqual(await states(), ['Stopped', 'Stopped', 'Stopped']);
  const refused = await fixture.run('startVirtualMachine', { vmId: first.vmId });
  assert.equal(refused.job_status, 2);
  assert.match(JSON.stringify(refused.job_result), /it is Maintenance/);
  const cancelled = await run(fixture, 'cancelStorageMaintenance', poolId);
  assert.equal(cancelled.job_status, 1, JSON.stringify(cancelled.job_result));
  await until('both run again', async () => (await states()).join() === 'Running,Running,Stopped');
  assert.deepEqual(await fixture.database.selectFrom('storage_pool_work').selectAll().execute(), []);
});

test('what cannot be stopped is named, and the pool is in error until it is tried again', async (t) => {
  const fixture = await startWorkflows(t);
  const { vmId } = await fixture.newVm();
  await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  const { poolId } = fixture.hosts[0]!;
  fixture.agents.script('every', 'vm.stop', async () => {
    throw new Error('the guest laughs');
  });
  const job = await run(fixture, 'enableStorageMaintenance', poolId);
  assert.equal(job.job_status, 2);
  assert.match(JSON.stringify(job.job_result), /still in use: instance vm-\w+ is Running/);
  assert.equal(await statusOf(fixture, poolId), 'ErrorInMaintenance');
});

test('a server is killed while it takes a pool out of use: another one goes on with ending guests, and asks none again', async (t) => {
  const fixture = await startWorkflows(t);
  const { database } = fixture;
  const { vmId } = await fixture.newVm();
  await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  const { poolId } = fixture.hosts[0]!;
  await fixture.jobs.stop(1000);
  const doomed = spawnProgram(
    process.execPath,
    [fileURLToPath(new URL('./testing/doomed-maintenance.ts', import.meta.url))],
    {
      signal: AbortSignal.timeout(60_000),
      env: { DATABASE_URL: fixture.url },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  doomed.on('error', () => {});
  t.after(() => doomed.kill('SIGKILL'));
  await until('the doomed server', async () =>
    (await database.selectFrom('configuration').selectAll().execute()).some(
      ({ name }) => name === 'doomed-server',
    ),
  );
  const uuid = await enqueue(fixture, 'enableStorageMaintenance', poolId);
  const stops = async () =>
    (
      await database
        .selectFrom('async_job')
        .select(['job_cmd_info', 'job_status', 'executing_server'])
        .where('job_cmd', '=', 'stopVirtualMachine')
        .orderBy('id')
        .execute()
    ).map((job) => ({
      forced: (job.job_cmd_info as { forced: boolean }).forced,
      succeeded: job.job_status === 1,
      server: job.executing_server,
    }));
  await until('the guest is about to be ended', async () =>
    (await stops()).some(({ forced, server }) => forced && server === 'doomed'),
  );
  doomed.kill('SIGKILL');
  let calls = 0;
  fixture.agents.script('every', 'vm.stop', async () => {
    calls += 1;
    if (calls === 1) throw new Error('the host laughs, too');
    return { state: 'Stopped', forcedAfterTimeout: false };
  });
  await fixture.restartJobs(t, 'survivor');
  const job = await jobEnded(database, uuid);
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  assert.equal(await statusOf(fixture, poolId), 'Maintenance');
  assert.equal((await fixture.vm(vmId)).state, 'Stopped');
  assert.deepEqual(
    (await stops()).map(({ forced, succeeded }) => ({ forced, succeeded })),
    [
      { forced: false, succeeded: false },
      { forced: true, succeeded: false },
      { forced: true, succeeded: true },
    ],
  );
});

test('a maintenance that is cancelled while it stops instances stops no more, and all of them run again', async (t) => {
  const fixture = await startWorkflows(t);
  const { vmId } = await fixture.newVm();
  await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  const { poolId } = fixture.hosts[0]!;
  const [begun, cancelled] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  fixture.agents.script('every', 'vm.stop', async () => {
    begun.resolve();
    await cancelled.promise;
    return { state: 'Stopped', forcedAfterTimeout: false };
  });
  const enabling = await enqueue(fixture, 'enableStorageMaintenance', poolId);
  await begun.promise;
  const cancelling = await enqueue(fixture, 'cancelStorageMaintenance', poolId);
  cancelled.resolve();
  const [enabled, ended] = await Promise.all([
    jobEnded(fixture.database, enabling),
    jobEnded(fixture.database, cancelling),
  ]);
  assert.match(JSON.stringify(enabled.job_result), /was cancelled/);
  assert.equal(ended.job_status, 1, JSON.stringify(ended.job_result));
  await until('it runs again', async () => (await fixture.vm(vmId)).state === 'Running');
  assert.equal(await statusOf(fixture, poolId), 'Up');
});
