import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { AgentCallError } from '../domain/failure-policy.ts';
import { insertDataVolume } from '../store/data-volumes.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

const gib = 1024 ** 3;

async function withDisk(t: TestContext) {
  const fixture = await startWorkflows(t, { hosts: 2 });
  const { database, cloud } = fixture;
  const { vmId } = await fixture.newVm();
  const job = await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  const offering = await database.selectFrom('disk_offering').select('id').executeTakeFirstOrThrow();
  const newDisk = (attachTo?: { readonly vmId: number; readonly position: number }) =>
    insertDataVolume(database, {
      name: undefined,
      sizeBytes: 5 * gib,
      offeringId: offering.id,
      zoneId: cloud.zoneId,
      accountId: cloud.accountId,
      ...(attachTo ? { attachTo } : {}),
    });
  const volume = await newDisk();
  const row = (id = volume.id) =>
    database.selectFrom('volumes').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  return { fixture, vmId, volume, row, newDisk, file: `${volume.uuid}.qcow2`, host: fixture.hosts[0]! };
}

const calls = (fixture: WorkflowFixture, method: string) =>
  fixture.agents.calls.filter((call) => call.method === method).map((call) => call.params);
const lastStart = (fixture: WorkflowFixture) =>
  (calls(fixture, 'vm.start').at(-1) as { vm: { dataDisks?: { path: string; position: number }[] } }).vm;

test('a disk is made where the instance’s root disk is, plugged in, and comes with every later start', async (t) => {
  const { fixture, vmId, volume, row, file, host } = await withDisk(t);
  const job = await fixture.run('attachVolume', { volumeId: volume.id, vmId, position: 2 });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  const { state, pool_id: poolId, instance_id: instanceId, device_id: position } = await row();
  assert.deepEqual([state, poolId, instanceId, position], ['Ready', host.poolId, vmId, 2]);
  assert.ok(fixture.agents.files(host.hostId).includes(file));
  const { disk } = calls(fixture, 'volume.attach')[0] as { disk: object };
  assert.deepEqual(disk, { path: file, serial: volume.uuid.replaceAll('-', '').slice(0, 20), position: 2 });
  await fixture.run('stopVirtualMachine', { vmId, forced: true });
  await fixture.run('startVirtualMachine', { vmId });
  assert.deepEqual(
    lastStart(fixture).dataDisks?.map(({ path, position: at }) => [path, at]),
    [[file, 2]],
  );
  const resized = await fixture.run('resizeVolume', { volumeId: volume.id, vmId, sizeBytes: 9 * gib });
  assert.equal(resized.job_status, 1);
  assert.equal((await row()).size, 9 * gib);
  const detached = await fixture.run('detachVolume', { volumeId: volume.id, vmId });
  assert.equal(detached.job_status, 1);
  assert.equal((await row()).instance_id, null);
  assert.ok(fixture.agents.files(host.hostId).includes(file), 'its bytes stay');
});

test('a guest that does not let go keeps the disk, and the answer says what to do', async (t) => {
  const { fixture, vmId, volume, row } = await withDisk(t);
  await fixture.run('attachVolume', { volumeId: volume.id, vmId, position: 1 });
  fixture.agents.script('every', 'volume.detach', async () => {
    throw new AgentCallError('DISK_BUSY', 'the guest does not let go: unmount it', { failureClass: 'stop' });
  });
  const job = await fixture.run('detachVolume', { volumeId: volume.id, vmId });
  assert.equal(job.job_status, 2);
  assert.match(JSON.stringify(job.job_result), /unmount it/);
  assert.equal((await row()).instance_id, vmId);
});

test('an attachment that fails leaves the disk nowhere, and no file behind', async (t) => {
  const { fixture, vmId, volume, row, file, host } = await withDisk(t);
  fixture.agents.script('every', 'volume.attach', async () => {
    throw new AgentCallError('LIBVIRT_FAILED', 'no more slots', { failureClass: 'next-host' });
  });
  const job = await fixture.run('attachVolume', { volumeId: volume.id, vmId, position: 1 });
  assert.equal(job.job_status, 2);
  const { state, pool_id: poolId, path, instance_id: instanceId } = await row();
  assert.deepEqual([state, poolId, path, instanceId], ['Allocated', null, null, null]);
  assert.equal(fixture.agents.files(host.hostId).includes(file), false);
});

test('an instance deployed with a data disk has it, on the host that could do it; expunged, it leaves it behind', async (t) => {
  const { fixture, newDisk, row } = await withDisk(t);
  const { vmId } = await fixture.newVm();
  const disk = await newDisk({ vmId, position: 1 });
  let failed: number | undefined;
  fixture.agents.script('every', 'vm.start', async (_, { hostId, ordinary }) => {
    failed ??= hostId;
    if (hostId !== failed) return ordinary();
    throw new AgentCallError('LIBVIRT_FAILED', 'this host is sick', { failureClass: 'next-host' });
  });
  const job = await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  const { host_id: hostId } = await fixture.vm(vmId);
  assert.notEqual(hostId, failed);
  assert.deepEqual(
    lastStart(fixture).dataDisks?.map(({ path }) => path),
    [`${disk.uuid}.qcow2`],
  );
  assert.ok(fixture.agents.files(hostId!).includes(`${disk.uuid}.qcow2`));
  assert.equal(fixture.agents.files(failed!).includes(`${disk.uuid}.qcow2`), false);
  await fixture.run('destroyVirtualMachine', { vmId, expunge: true });
  const left = await row(disk.id);
  assert.deepEqual([left.state, left.instance_id, left.removed], ['Ready', null, null]);
});
