import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobEnded, until } from '../jobs/testing/job-fixture.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

async function run(
  { database, jobs, cloud }: WorkflowFixture,
  command: 'enableStorageMaintenance' | 'cancelStorageMaintenance',
  poolId: number,
) {
  const pool = await database
    .updateTable('storage_pool')
    .set({ status: command === 'enableStorageMaintenance' ? 'PrepareForMaintenance' : 'Up' })
    .where('id', '=', poolId)
    .returning('uuid')
    .executeTakeFirstOrThrow();
  const uuid = await database.transaction().execute((trx) =>
    jobs.enqueue(trx, {
      command,
      parameters: { poolId },
      userId: cloud.userId,
      accountId: cloud.accountId,
      instanceType: 'StoragePool',
      instanceUuid: pool.uuid,
    }),
  );
  return jobEnded(database, uuid);
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
