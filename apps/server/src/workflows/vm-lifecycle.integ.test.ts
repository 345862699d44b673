import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '@millrace/core';
import { sql } from 'kysely';
import { AgentCallError } from '../domain/failure-policy.ts';
import { breakableRunSteps } from '../jobs/testing/failing-steps.ts';
import { jobEnded, until } from '../jobs/testing/job-fixture.ts';
import { insertTemplate } from '../store/testing/cloud-rows.ts';
import { expungeAgain, expungeDestroyed, forgetOld, removeDiscardedVolumes } from './housekeeping.ts';
import { removeUnneededCopies } from './template-copies.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

const { signal } = new AbortController();
const away = () =>
  new AgentCallError('AGENT_UNAVAILABLE', 'the host’s agent is not connected', { failureClass: 'next-host' });

async function runningVm(t: TestContext, options: Parameters<typeof startWorkflows>[1] = {}) {
  const fixture = await startWorkflows(t, options);
  const vm = await fixture.newVm();
  const job = await fixture.run('deployVirtualMachine', { vmId: vm.vmId, startVm: true });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  return { fixture, ...vm, host: fixture.hosts[0]! };
}

function errorText(job: { readonly job_result: unknown }): string {
  return String((job.job_result as { errortext?: unknown }).errortext);
}

async function liveVolumes(fixture: WorkflowFixture, vmId: number) {
  return fixture.database
    .selectFrom('volumes')
    .selectAll()
    .where('instance_id', '=', vmId)
    .where('removed', 'is', null)
    .execute();
}

function housekeeping(fixture: WorkflowFixture) {
  return {
    database: fixture.database,
    agents: fixture.agents,
    jobs: fixture.jobs,
    log: silentLogger,
    signal,
  };
}

test('stop, start and reboot move the instance through its states and keep its disk and addresses', async (t) => {
  const { fixture, vmId, vmUuid, host } = await runningVm(t);
  const before = await liveVolumes(fixture, vmId);
  const stopped = await fixture.run('stopVirtualMachine', { vmId, forced: false });
  assert.equal((stopped.job_result as { virtualmachine: { state: string } }).virtualmachine.state, 'Stopped');
  const off = await fixture.vm(vmId);
  assert.equal(off.host_id, null);
  assert.equal(off.last_host_id, host.hostId);
  assert.deepEqual(fixture.agents.domains(host.hostId), []);
  const started = await fixture.run('startVirtualMachine', { vmId });
  assert.equal(started.job_status, 1, errorText(started));
  assert.deepEqual(fixture.agents.domains(host.hostId), [vmUuid]);
  const rebooted = await fixture.run('rebootVirtualMachine', { vmId, forced: false });
  assert.equal(rebooted.job_status, 1, errorText(rebooted));
  assert.equal((await fixture.vm(vmId)).state, 'Running');
  assert.deepEqual(
    (await liveVolumes(fixture, vmId)).map((volume) => volume.uuid),
    before.map((volume) => volume.uuid),
  );
});

test('an instance that starts on another host leaves no definition where it was', async (t) => {
  const { fixture, vmId, vmUuid, host } = await runningVm(t, { hosts: 2 });
  const other = fixture.hosts[1]!;
  const [disk] = await liveVolumes(fixture, vmId);
  await fixture.database
    .insertInto('storage_pool_host_ref')
    .values({ pool_id: disk!.pool_id!, host_id: other.hostId, local_path: '/pools/shared' })
    .execute();
  await fixture.run('stopVirtualMachine', { vmId, forced: true });
  fixture.agents.script(other.hostId, 'vm.start', async () => ({
    state: 'Running',
    startedNow: true,
    startMs: 1,
  }));
  const started = await fixture.run('startVirtualMachine', { vmId, hostId: other.hostId });
  assert.equal(started.job_status, 1, errorText(started));
  const removals = fixture.agents.calls.filter(({ method }) => method === 'vm.remove');
  assert.deepEqual(
    removals.map(({ hostId, params }) => [hostId, (params as { vm: { uuid: string } }).vm.uuid]),
    [[host.hostId, vmUuid]],
  );
});

test('a guest that stays down after a reboot is started again', async (t) => {
  const { fixture, vmId } = await runningVm(t);
  fixture.agents.script('every', 'vm.reboot', async () => ({ state: 'Stopped' }));
  const before = fixture.agents.count('vm.start');
  assert.equal((await fixture.run('rebootVirtualMachine', { vmId, forced: false })).job_status, 1);
  assert.equal(fixture.agents.count('vm.start'), before + 1);
});

test('an instance that cannot be stopped runs on, and one whose host is away is Unknown', async (t) => {
  const { fixture, vmId } = await runningVm(t);
  fixture.agents.script('every', 'vm.stop', async () => {
    throw new AgentCallError('VM_STOP_FAILED', 'the guest hangs', { failureClass: 'stop' });
  });
  const failed = await fixture.run('stopVirtualMachine', { vmId, forced: false });
  assert.equal(failed.job_result_code, 530);
  assert.match(errorText(failed), /the guest hangs/);
  assert.equal((await fixture.vm(vmId)).state, 'Running');
  fixture.agents.script('every', 'vm.stop', async () => {
    throw away();
  });
  const lost = await fixture.run('stopVirtualMachine', { vmId, forced: false });
  assert.equal(lost.job_result_code, 534);
  assert.equal((await fixture.vm(vmId)).state, 'Unknown');
});

test('an instance that cannot be started is Stopped again and keeps its disk', async (t) => {
  const { fixture, vmId, host } = await runningVm(t);
  await fixture.run('stopVirtualMachine', { vmId, forced: true });
  fixture.agents.script('every', 'vm.start', async () => {
    throw new AgentCallError('VM_START_FAILED', 'no such bridge', { failureClass: 'next-host' });
  });
  const job = await fixture.run('startVirtualMachine', { vmId });
  assert.equal(job.job_result_code, 530);
  assert.match(errorText(job), /no such bridge/);
  const vm = await fixture.vm(vmId);
  assert.equal(vm.state, 'Stopped');
  assert.equal(vm.host_id, null);
  assert.equal((await liveVolumes(fixture, vmId)).length, 1);
  assert.deepEqual(fixture.agents.domains(host.hostId), []);
});

test('destroy keeps the disk; expunge removes domain, disk and addresses, but not the copy', async (t) => {
  const { fixture, vmId, host } = await runningVm(t);
  const destroyed = await fixture.run('destroyVirtualMachine', { vmId, expunge: false });
  assert.equal(
    (destroyed.job_result as { virtualmachine: { state: string } }).virtualmachine.state,
    'Destroyed',
  );
  assert.deepEqual(fixture.agents.domains(host.hostId), []);
  assert.equal((await liveVolumes(fixture, vmId)).length, 1);
  const expunged = await fixture.run('expungeVirtualMachine', { vmId });
  assert.deepEqual(expunged.job_result, { success: true });
  const vm = await fixture.vm(vmId);
  assert.equal(vm.state, 'Expunged');
  assert.ok(vm.removed);
  assert.equal(fixture.agents.files(host.hostId).length, 1, 'only the template’s copy is left');
  assert.equal((await liveVolumes(fixture, vmId)).length, 0);
  const nics = await fixture.database.selectFrom('nics').select('removed').execute();
  assert.ok(nics.every((nic) => nic.removed !== null));
});

test('destroy with expunge answers with the instance as it was last seen: Expunging', async (t) => {
  const { fixture, vmId } = await runningVm(t);
  const job = await fixture.run('destroyVirtualMachine', { vmId, expunge: true });
  const { virtualmachine } = job.job_result as { virtualmachine: { state: string } };
  assert.equal(virtualmachine.state, 'Expunging');
  assert.equal((await fixture.vm(vmId)).state, 'Expunged');
});

test('an instance on a host that is away can be expunged; its files are removed when the host is back', async (t) => {
  const { fixture, vmId, host } = await runningVm(t);
  for (const method of ['vm.remove', 'volume.remove'] as const)
    fixture.agents.script('every', method, async () => {
      throw away();
    });
  const job = await fixture.run('destroyVirtualMachine', { vmId, expunge: true });
  assert.equal(job.job_status, 1, errorText(job));
  assert.equal((await fixture.vm(vmId)).state, 'Expunged');
  assert.equal(fixture.agents.files(host.hostId).length, 2);
  fixture.agents.script('every', 'volume.remove', undefined);
  assert.equal(await removeDiscardedVolumes(housekeeping(fixture)), 1);
  assert.equal(fixture.agents.files(host.hostId).length, 1);
  assert.equal(await removeDiscardedVolumes(housekeeping(fixture)), 0);
});

test('instances that have been destroyed for long enough are expunged, others are not', async (t) => {
  const { fixture, vmId } = await runningVm(t);
  await fixture.run('destroyVirtualMachine', { vmId, expunge: false });
  assert.equal(await expungeDestroyed(housekeeping(fixture), 3_600_000), 0);
  await fixture.database
    .updateTable('vm_instance')
    .set({ update_time: new Date(Date.now() - 7_200_000) })
    .execute();
  assert.equal(await expungeDestroyed(housekeeping(fixture), 3_600_000), 1);
  await until('the expunged instance', async () => (await fixture.vm(vmId)).state === 'Expunged');
});

test('restore gives a running instance a new disk from the pool’s copy and starts it again', async (t) => {
  const { fixture, vmId, vmUuid, host } = await runningVm(t);
  const [old] = await liveVolumes(fixture, vmId);
  const job = await fixture.run('restoreVirtualMachine', { vmId });
  assert.equal(job.job_status, 1, errorText(job));
  const [fresh, ...more] = await liveVolumes(fixture, vmId);
  assert.deepEqual(more, []);
  assert.notEqual(fresh?.uuid, old?.uuid);
  assert.equal(fresh?.state, 'Ready');
  assert.equal((await fixture.vm(vmId)).state, 'Running');
  assert.deepEqual(fixture.agents.domains(host.hostId), [vmUuid]);
  assert.equal(fixture.agents.count('template.prepare'), 1, 'the copy was used');
  assert.equal(fixture.agents.files(host.hostId).includes(old!.path!), false);
  const nics = await fixture.database.selectFrom('nics').selectAll().where('removed', 'is', null).execute();
  assert.equal(nics.length, 1);
  assert.equal((await fixture.attempts(job.uuid))[0]?.state, 'succeeded');
});

test('restore fetches a copy that vanished, and can install another template in a stopped instance', async (t) => {
  const { fixture, vmId, host } = await runningVm(t);
  await fixture.run('stopVirtualMachine', { vmId, forced: true });
  const spool = await fixture.spool(host.poolId);
  fixture.agents.lose(host.hostId, spool!.install_path!);
  assert.equal((await fixture.run('restoreVirtualMachine', { vmId })).job_status, 1);
  assert.equal(fixture.agents.count('template.prepare'), 2);
  const templateId = await insertTemplate(fixture.database, fixture.cloud);
  const job = await fixture.run('restoreVirtualMachine', {
    vmId,
    templateId,
    rootDiskSizeBytes: 5 * 1024 ** 3,
  });
  assert.equal(job.job_status, 1, errorText(job));
  const vm = await fixture.vm(vmId);
  assert.equal(vm.state, 'Stopped');
  assert.equal(vm.vm_template_id, templateId);
  assert.equal((await liveVolumes(fixture, vmId))[0]?.size, 5 * 1024 ** 3);
});

test('a restore whose template cannot be fetched leaves the instance running on its old disk', async (t) => {
  const { fixture, vmId, vmUuid, host } = await runningVm(t);
  const templateId = await insertTemplate(fixture.database, fixture.cloud);
  fixture.agents.script('every', 'template.prepare', async () => {
    throw new AgentCallError('SOURCES_EXHAUSTED', 'no source answered', { failureClass: 'next-host' });
  });
  const before = await liveVolumes(fixture, vmId);
  const job = await fixture.run('restoreVirtualMachine', { vmId, templateId });
  assert.equal(job.job_result_code, 530);
  assert.match(errorText(job), /no source answered/);
  assert.equal((await fixture.vm(vmId)).state, 'Running');
  assert.deepEqual(fixture.agents.domains(host.hostId), [vmUuid]);
  assert.deepEqual(await liveVolumes(fixture, vmId), before);
  assert.equal((await fixture.attempts(job.uuid))[0]?.reason, 'SOURCES_EXHAUSTED');
});

test('a template that nothing needs goes with its copies; one below a disk goes with the last disk', async (t) => {
  const { fixture, vmId, host } = await runningVm(t);
  const templateId = fixture.templateId;
  const kept = await fixture.run('deleteTemplate', { templateId, forced: true });
  assert.deepEqual(kept.job_result, { success: true });
  assert.equal(fixture.agents.files(host.hostId).length, 2, 'the disk needs its copy');
  const template = await fixture.database.selectFrom('vm_template').selectAll().executeTakeFirstOrThrow();
  assert.ok(template.removed);
  await fixture.run('destroyVirtualMachine', { vmId, expunge: true });
  await removeUnneededCopies(housekeeping(fixture), { operation: 'test' });
  assert.deepEqual(fixture.agents.files(host.hostId), []);
  assert.equal(await fixture.spool(host.poolId), undefined);
});

test('deleting an unused template removes its copies at once', async (t) => {
  const { fixture, vmId, host } = await runningVm(t);
  await fixture.run('destroyVirtualMachine', { vmId, expunge: true });
  const job = await fixture.run('deleteTemplate', { templateId: fixture.templateId, forced: false });
  assert.equal(job.job_status, 1, errorText(job));
  assert.deepEqual(fixture.agents.files(host.hostId), []);
});

const deploymentSteps = ['choose-host', 'prepare-template', 'create-root-volume', 'start'];

test('a deployment that breaks at any step, before or after its deed, leaves nothing', async (t) => {
  const engine = breakableRunSteps();
  const fixture = await startWorkflows(t, { runSteps: engine.runSteps });
  const host = fixture.hosts[0]!;
  for (const step of deploymentSteps) {
    for (const when of ['before', 'after'] as const) {
      // the start's record is the instance's own: once it is Running it is not taken back
      if (step === 'start' && when === 'after') continue;
      engine.current = { step, when };
      const vm = await fixture.newVm();
      const job = await fixture.run('deployVirtualMachine', { vmId: vm.vmId, startVm: true });
      const label = `${step}, ${when}`;
      assert.equal(job.job_status, 2, label);
      assert.match(errorText(job), new RegExp(`${step} broke`), label);
      assert.equal((await fixture.vm(vm.vmId)).state, 'Error', label);
      assert.deepEqual(fixture.agents.domains(host.hostId), [], label);
      assert.deepEqual(await liveVolumes(fixture, vm.vmId), [], label);
      const copies = fixture.agents.files(host.hostId).filter((file) => !/\.qcow2$/.test(file));
      assert.deepEqual(copies, [], label);
      assert.ok(fixture.agents.files(host.hostId).length <= 1, label);
      const steps = await fixture.database
        .selectFrom('job_step')
        .innerJoin('async_job', 'async_job.id', 'job_step.job_id')
        .select('state')
        .where('async_job.uuid', '=', job.uuid)
        .execute();
      assert.ok(
        steps.every(({ state }) => state === 'undone'),
        label,
      );
    }
  }
});

test('a restore that breaks at any step leaves one whole disk, and the instance usable', async (t) => {
  const engine = breakableRunSteps();
  const { fixture, vmId, host } = await runningVm(t, { runSteps: engine.runSteps });
  for (const step of ['plan', 'prepare-template', 'stop', 'create-volume', 'swap', 'start']) {
    engine.current = { step, when: 'before', prefix: 'restore/' };
    const job = await fixture.run('restoreVirtualMachine', { vmId });
    assert.equal(job.job_status, 2, step);
    const volumes = await liveVolumes(fixture, vmId);
    assert.equal(volumes.length, 1, step);
    assert.equal(volumes[0]?.state, 'Ready', step);
    assert.ok(fixture.agents.files(host.hostId).includes(volumes[0]!.path!), step);
    engine.current = undefined;
    if ((await fixture.vm(vmId)).state === 'Stopped') {
      const started = await fixture.run('startVirtualMachine', { vmId });
      assert.equal(started.job_status, 1, `${step}: ${errorText(started)}`);
    }
    assert.equal((await fixture.vm(vmId)).state, 'Running', step);
  }
  await removeDiscardedVolumes(housekeeping(fixture));
  assert.equal(fixture.agents.files(host.hostId).length, 2, 'the copy and the one disk');
});

test('a job given up after too many dead workers leaves the instance in Error with nothing held', async (t) => {
  const fixture = await startWorkflows(t);
  const vm = await fixture.newVm();
  await fixture.jobs.stop(1000);
  const uuid = await fixture.enqueue('deployVirtualMachine', { vmId: vm.vmId, startVm: true });
  await fixture.database.updateTable('async_job').set({ attempts: 10 }).where('uuid', '=', uuid).execute();
  await fixture.restartJobs(t, 'two');
  const job = await jobEnded(fixture.database, uuid);
  assert.equal(job.job_result_code, 530);
  assert.equal((await fixture.vm(vm.vmId)).state, 'Error');
  assert.deepEqual(await liveVolumes(fixture, vm.vmId), []);
});

test('an instance whose expunging failed is expunged again when its host is well', async (t) => {
  const { fixture, vmId } = await runningVm(t);
  fixture.agents.script('every', 'vm.remove', async () => {
    throw new AgentCallError('AGENT_TIMEOUT', 'the host did not answer', { failureClass: 'next-host' });
  });
  await fixture.run('destroyVirtualMachine', { vmId, expunge: false });
  await fixture.database.updateTable('vm_instance').set({ state: 'Destroyed' }).execute();
  assert.equal((await fixture.run('expungeVirtualMachine', { vmId })).job_status, 2);
  assert.equal((await fixture.vm(vmId)).state, 'Expunging');
  fixture.agents.script('every', 'vm.remove', undefined);
  assert.equal(await expungeAgain(housekeeping(fixture)), 0, 'not at once');
  assert.equal(await expungeAgain(housekeeping(fixture), -1000), 1);
  await until('the end', async () => (await fixture.vm(vmId)).state === 'Expunged');
});

test('answers of jobs and events are forgotten after their time, and nothing pending is', async (t) => {
  const { fixture, vmId } = await runningVm(t);
  const { database } = fixture;
  const keep = { 'job.retention.hours': 1, 'event.purge.delay': 1 };
  assert.equal(await forgetOld(database, keep), 0);
  const longAgo = new Date(Date.now() - 48 * 3_600_000);
  await database.updateTable('async_job').set({ completed: longAgo }).execute();
  await sql`update event set created = ${longAgo}`.execute(database);
  await database
    .insertInto('async_job')
    .values({
      uuid: crypto.randomUUID(),
      user_id: fixture.cloud.userId,
      account_id: fixture.cloud.accountId,
      job_cmd: 'stopVirtualMachine',
      job_cmd_info: JSON.stringify({ vmId, forced: false }),
    })
    .execute();
  assert.ok((await forgetOld(database, keep)) > 1);
  const left = await database.selectFrom('async_job').select('job_status').execute();
  assert.deepEqual(left, [{ job_status: 0 }]);
  assert.deepEqual(await database.selectFrom('event').selectAll().execute(), []);
  assert.deepEqual(await database.selectFrom('deployment_attempt').selectAll().execute(), []);
});

test('a restore whose new disk cannot be made leaves the instance running', async (t) => {
  const { fixture, vmId, vmUuid, host } = await runningVm(t);
  fixture.agents.script('every', 'volume.create', async () => {
    throw new AgentCallError('POOL_FULL', 'the pool has 12 bytes left', { failureClass: 'next-host' });
  });
  const job = await fixture.run('restoreVirtualMachine', { vmId });
  assert.equal(job.job_status, 2);
  assert.equal((await fixture.vm(vmId)).state, 'Running');
  assert.deepEqual(fixture.agents.domains(host.hostId), [vmUuid]);
  assert.equal(fixture.agents.count('vm.stop'), 0);
});

test('no disk is made on a copy that is being removed', async (t) => {
  const { fixture, vmId } = await runningVm(t);
  const templateId = await insertTemplate(fixture.database, fixture.cloud);
  // between the look at the copy and the disk on it the template is deleted, and its copy marked
  fixture.agents.script('every', 'template.check', async () => {
    await fixture.database
      .updateTable('template_spool_ref')
      .set({ marked_for_gc: true })
      .where('template_id', '=', templateId)
      .execute();
    return { present: true };
  });
  await fixture.run('deployVirtualMachine', {
    vmId: (await fixture.newVm({ templateId })).vmId,
    startVm: false,
  });
  const before = fixture.agents.count('volume.create');
  const job = await fixture.run('restoreVirtualMachine', { vmId, templateId });
  assert.equal(job.job_status, 2);
  assert.match(errorText(job), /template was deleted meanwhile/);
  assert.equal(fixture.agents.count('volume.create'), before);
  assert.equal((await fixture.vm(vmId)).state, 'Running');
});
