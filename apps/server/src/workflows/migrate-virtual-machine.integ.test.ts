import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { AgentCallError } from '../domain/failure-policy.ts';
import { until } from '../jobs/testing/job-fixture.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

/** Three hosts and a pool that all of them reach; an instance runs on the first, with its disk on that pool. */
async function runningOnShared(t: TestContext) {
  const fixture = await startWorkflows(t, { hosts: 3 });
  const { database, cloud, hosts } = fixture;
  await database.updateTable('storage_pool').set({ status: 'Disabled' }).execute();
  await database.updateTable('host').set({ private_ip_address: '10.99.0.1' }).execute();
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
  const vm = await fixture.newVm();
  const job = await fixture.run('deployVirtualMachine', {
    vmId: vm.vmId,
    startVm: true,
    hostId: hosts[0]!.hostId,
  });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  return { fixture, ...vm, hosts };
}

const where = async (fixture: WorkflowFixture, vmId: number) => {
  const { state, host_id: hostId } = await fixture.vm(vmId);
  return { state, hostId };
};

test('an instance is moved to the host that is asked for, or to the best one; no secret is kept of the move', async (t) => {
  const { fixture, vmId, vmUuid, hosts } = await runningOnShared(t);
  const [first, second, third] = hosts;
  const job = await fixture.run('migrateVirtualMachine', { vmId, hostId: third!.hostId });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  assert.deepEqual(await where(fixture, vmId), { state: 'Running', hostId: third!.hostId });
  assert.deepEqual(
    hosts.map(({ hostId }) => fixture.agents.domains(hostId)),
    [[], [], [vmUuid]],
  );
  const { move } = fixture.agents.calls.find(({ method }) => method === 'vm.migrate.expect')!.params as {
    move: { secret: string };
  };
  const kept = await fixture.database.selectFrom('job_step').selectAll().execute();
  assert.equal(JSON.stringify(kept).includes(move.secret), false);
  assert.equal(fixture.agents.count('vm.migrate.end'), 1);
  await fixture.run('migrateVirtualMachine', { vmId });
  const { hostId } = await where(fixture, vmId);
  assert.ok([first!.hostId, second!.hostId].includes(hostId!));
});

test('an instance whose disk no other host reaches stays where it runs, and the answer says why of each host', async (t) => {
  const { fixture, vmId, hosts } = await runningOnShared(t);
  for (const { hostId } of hosts.slice(1))
    await fixture.database.deleteFrom('storage_pool_host_ref').where('host_id', '=', hostId).execute();
  const job = await fixture.run('migrateVirtualMachine', { vmId });
  assert.equal(job.job_status, 2);
  assert.match(JSON.stringify(job.job_result), /host-2: it reaches no storage pool; host-3: /);
  assert.deepEqual(await where(fixture, vmId), { state: 'Running', hostId: hosts[0]!.hostId });
});

test('a move that fails leaves the instance running where it was', async (t) => {
  const { fixture, vmId, vmUuid, hosts } = await runningOnShared(t);
  fixture.agents.script('every', 'vm.migrate.send', async () => {
    throw new AgentCallError('LIBVIRT_FAILED', 'libvirt: operation failed', { failureClass: 'next-host' });
  });
  const job = await fixture.run('migrateVirtualMachine', { vmId });
  assert.equal(job.job_status, 2);
  assert.match(JSON.stringify(job.job_result), /operation failed/);
  assert.deepEqual(await where(fixture, vmId), { state: 'Running', hostId: hosts[0]!.hostId });
  assert.deepEqual(fixture.agents.domains(hosts[0]!.hostId), [vmUuid]);
  assert.equal(fixture.agents.count('vm.migrate.end'), 1, 'the tunnel is taken down');
});

test('a move whose answer was lost is found made: the instance runs on one host, and that one is known', async (t) => {
  const { fixture, vmId, hosts } = await runningOnShared(t);
  fixture.agents.script('every', 'vm.migrate.send', async (_, { ordinary }) => {
    await ordinary();
    throw new AgentCallError('AGENT_UNAVAILABLE', 'the host went away', { failureClass: 'next-host' });
  });
  const job = await fixture.run('migrateVirtualMachine', { vmId, hostId: hosts[1]!.hostId });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  assert.deepEqual(await where(fixture, vmId), { state: 'Running', hostId: hosts[1]!.hostId });
});

async function maintain(fixture: WorkflowFixture, hostId: number) {
  const { uuid } = await fixture.database
    .updateTable('host')
    .set({ resource_state: 'PrepareForMaintenance' })
    .where('id', '=', hostId)
    .returning('uuid')
    .executeTakeFirstOrThrow();
  const jobUuid = await fixture.database.transaction().execute((trx) =>
    fixture.jobs.enqueue(trx, {
      command: 'prepareHostForMaintenance',
      parameters: { hostId },
      userId: fixture.cloud.userId,
      accountId: fixture.cloud.accountId,
      instanceType: 'Host',
      instanceUuid: uuid,
    }),
  );
  return until('the host is empty, or not', async () => {
    const job = await fixture.database
      .selectFrom('async_job')
      .selectAll()
      .where('uuid', '=', jobUuid)
      .executeTakeFirstOrThrow();
    return job.job_status === 0 ? undefined : job;
  });
}

test('maintenance moves instances away, and stops one that cannot be moved', async (t) => {
  const { fixture, vmId, hosts } = await runningOnShared(t);
  const [first] = hosts;
  const local = await fixture.newVm();
  await fixture.database
    .updateTable('storage_pool')
    .set({ status: 'Up' })
    .where('id', '=', first!.poolId)
    .execute();
  await fixture.database
    .updateTable('storage_pool')
    .set({ status: 'Disabled' })
    .where('name', '=', 'shared')
    .execute();
  const onLocal = { vmId: local.vmId, startVm: true, hostId: first!.hostId };
  assert.equal((await fixture.run('deployVirtualMachine', onLocal)).job_status, 1);
  await fixture.database
    .updateTable('storage_pool')
    .set({ status: 'Up' })
    .where('name', '=', 'shared')
    .execute();

  const job = await maintain(fixture, first!.hostId);
  assert.equal(job?.job_status, 1, JSON.stringify(job?.job_result));
  const { resource_state: state } = await fixture.database
    .selectFrom('host')
    .select('resource_state')
    .where('id', '=', first!.hostId)
    .executeTakeFirstOrThrow();
  assert.equal(state, 'Maintenance');
  const moved = await where(fixture, vmId);
  assert.equal(moved.state, 'Running');
  assert.notEqual(moved.hostId, first!.hostId);
  assert.equal((await where(fixture, local.vmId)).state, 'Stopped');
  assert.deepEqual(fixture.agents.domains(first!.hostId), []);
});
