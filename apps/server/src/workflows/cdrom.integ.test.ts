import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '@millrace/core';
import { AgentCallError } from '../domain/failure-policy.ts';
import { insertTemplate } from '../store/testing/cloud-rows.ts';
import { removeUnneededCopies } from './template-copies.ts';
import type { RecordedCall } from './testing/fake-agents.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

const { signal } = new AbortController();

async function withIso(t: TestContext, options: { readonly hosts?: number } = {}) {
  const fixture = await startWorkflows(t, options);
  const isoId = await insertTemplate(fixture.database, fixture.cloud, { format: 'ISO' });
  const { uuid } = await fixture.database
    .selectFrom('vm_template')
    .select('uuid')
    .where('id', '=', isoId)
    .executeTakeFirstOrThrow();
  return { fixture, isoId, isoFile: `${uuid}.iso` };
}

async function running(t: TestContext, options?: { readonly hosts?: number }) {
  const cloud = await withIso(t, options);
  const { vmId } = await cloud.fixture.newVm();
  const job = await cloud.fixture.run('deployVirtualMachine', { vmId, startVm: true });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  return { ...cloud, vmId, host: cloud.fixture.hosts[0]! };
}

/** The rows that the command writes for an instance that is installed from an ISO. */
async function newVmFromIso(fixture: WorkflowFixture, isoId: number) {
  const vm = await fixture.newVm({ templateId: isoId });
  await fixture.database
    .updateTable('vm_instance')
    .set({ iso_id: isoId })
    .where('id', '=', vm.vmId)
    .execute();
  await fixture.database
    .updateTable('volumes')
    .set({ template_id: null })
    .where('instance_id', '=', vm.vmId)
    .execute();
  return vm;
}

const driveChanges = (fixture: WorkflowFixture) =>
  fixture.agents.calls.filter((call) => call.method === 'vm.cdrom').map(pathOf);
const pathOf = (call: RecordedCall) => (call.params as { path?: string }).path;
const lastStart = (fixture: WorkflowFixture) =>
  (
    fixture.agents.calls.findLast((call) => call.method === 'vm.start')!.params as {
      vm: { cdrom?: { path: string; bootFirst: boolean } };
    }
  ).vm;
const attach = (fixture: WorkflowFixture, vmId: number, isoId: number) =>
  fixture.run('attachIso', { vmId, isoId, forced: false });

test('an instance from an ISO gets the ISO on the pool of its disk, an empty disk, and boots from the drive', async (t) => {
  const { fixture, isoId, isoFile } = await withIso(t);
  const { vmId } = await newVmFromIso(fixture, isoId);
  const job = await fixture.run('deployVirtualMachine', {
    vmId,
    startVm: true,
    rootDiskSizeBytes: 5 * 1024 ** 3,
  });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  assert.deepEqual(lastStart(fixture).cdrom, { path: isoFile, bootFirst: true });
  const create = fixture.agents.calls.find((call) => call.method === 'volume.create')!.params as object;
  assert.equal('backing' in create, false);
  const volume = await fixture.database.selectFrom('volumes').selectAll().executeTakeFirstOrThrow();
  assert.deepEqual([volume.size, volume.template_id, volume.state], [5 * 1024 ** 3, null, 'Ready']);
  const { source } = fixture.agents.calls.find((call) => call.method === 'template.prepare')!.params as {
    source: { format: string };
  };
  assert.equal(source.format, 'iso');
});

test('an ISO is fetched to the pool of a running instance’s disk and put into its drive at once', async (t) => {
  const { fixture, vmId, isoId, isoFile, host } = await running(t, { hosts: 2 });
  const job = await attach(fixture, vmId, isoId);
  const answer = job.job_result as { virtualmachine: { isoid?: string; isoname?: string } };
  assert.equal(job.job_status, 1, JSON.stringify(answer));
  assert.equal(`${answer.virtualmachine.isoid}.iso`, isoFile);
  assert.equal(answer.virtualmachine.isoname, 'tiny');
  assert.ok(fixture.agents.files(host.hostId).includes(isoFile));
  assert.deepEqual(driveChanges(fixture), [isoFile]);
  const [attempt] = await fixture.attempts(job.uuid);
  assert.deepEqual(
    [attempt?.host_id, attempt?.pool_id, attempt?.state],
    [host.hostId, host.poolId, 'succeeded'],
  );
  assert.equal((attempt!.source_attempts as unknown[]).length, 1);

  // the next start brings it too, and a second instance on the pool moves no byte
  await fixture.run('stopVirtualMachine', { vmId, forced: true });
  await fixture.run('startVirtualMachine', { vmId });
  assert.equal(lastStart(fixture).cdrom?.path, isoFile);
  const prepared = fixture.agents.count('template.prepare');
  const detached = await fixture.run('detachIso', { vmId, forced: false });
  assert.equal(detached.job_status, 1);
  assert.deepEqual(driveChanges(fixture), [isoFile, undefined]);
  assert.equal((await fixture.vm(vmId)).iso_id, null);
  await attach(fixture, vmId, isoId);
  assert.equal(fixture.agents.count('template.prepare'), prepared);
});

test('of a stopped instance only the record changes; its start fetches an ISO whose copy has vanished', async (t) => {
  const { fixture, vmId, isoId, isoFile, host } = await running(t);
  await fixture.run('stopVirtualMachine', { vmId, forced: true });
  await attach(fixture, vmId, isoId);
  assert.deepEqual(driveChanges(fixture), []);
  fixture.agents.lose(host.hostId, isoFile);
  const started = await fixture.run('startVirtualMachine', { vmId });
  assert.equal(started.job_status, 1, JSON.stringify(started.job_result));
  assert.ok(fixture.agents.files(host.hostId).includes(isoFile));
});

test('what cannot be fetched is not attached, every try is told, and the ISO before it stays', async (t) => {
  const { fixture, vmId, isoId } = await running(t);
  await attach(fixture, vmId, isoId);
  const other = await insertTemplate(fixture.database, fixture.cloud, { format: 'ISO' });
  const source = {
    url: 'http://images.example.org/other.iso',
    sourceRank: 1,
    checksumAttempt: 1,
    tryNumber: 1,
    state: 'failed',
    bytes: 0,
    bytesPerSecond: 0,
    durationMs: 3,
    reason: 'HTTP_NOT_FOUND',
    message: 'the server has no such file (404)',
    next: 'next-host',
  } as const;
  fixture.agents.script('every', 'template.prepare', async () => {
    throw new AgentCallError('SOURCES_FAILED', 'every source failed', {
      failureClass: 'next-host',
      attempts: [source],
    });
  });
  const job = await fixture.run('attachIso', { vmId, isoId: other, forced: true });
  assert.equal(job.job_status, 2);
  assert.match(
    JSON.stringify(job.job_result),
    /attaching ISO tiny to instance .* failed: every source failed/,
  );
  const [attempt] = await fixture.attempts(job.uuid);
  assert.equal(attempt?.state, 'failed');
  assert.deepEqual(attempt?.source_attempts, [source]);
  assert.equal((await fixture.vm(vmId)).iso_id, isoId);
  const [event] = await fixture.database
    .selectFrom('event')
    .selectAll()
    .where('type', '=', 'ISO.ATTACH')
    .where('level', '=', 'ERROR')
    .execute();
  assert.match(String(event?.description), /every source failed/);
});

test('a drive that the guest has locked keeps its ISO, and the answer says what to do', async (t) => {
  const { fixture, vmId, isoId, isoFile } = await running(t);
  await attach(fixture, vmId, isoId);
  let asked = 0;
  fixture.agents.script('every', 'vm.cdrom', async (params, { ordinary }) => {
    if (params.path !== undefined || asked++ > 0) return ordinary();
    throw new AgentCallError('CDROM_LOCKED', 'the guest has locked its drive: use forced=true', {
      failureClass: 'stop',
    });
  });
  const job = await fixture.run('detachIso', { vmId, forced: false });
  assert.equal(job.job_status, 2);
  assert.match(JSON.stringify(job.job_result), /use forced=true/);
  assert.equal((await fixture.vm(vmId)).iso_id, isoId);
  // whatever the host did before it failed to say so: the ISO is put back
  assert.deepEqual(driveChanges(fixture), [isoFile, undefined, isoFile]);
});

test('a deleted ISO stays on a pool while an instance there has it in its drive, and goes then', async (t) => {
  const { fixture, vmId, isoId, isoFile, host } = await running(t);
  await attach(fixture, vmId, isoId);
  await fixture.run('deleteIso', { templateId: isoId, forced: false });
  assert.ok(fixture.agents.files(host.hostId).includes(isoFile));
  await fixture.run('detachIso', { vmId, forced: false });
  await removeUnneededCopies(
    { agents: fixture.agents, database: fixture.database, log: silentLogger, signal },
    { operation: 'test' },
  );
  assert.equal(fixture.agents.files(host.hostId).includes(isoFile), false);
});

test('restored, an instance from an ISO gets a new empty disk as large as the old one and the ISO again', async (t) => {
  const { fixture, isoId, isoFile } = await withIso(t);
  const { vmId } = await newVmFromIso(fixture, isoId);
  await fixture.run('deployVirtualMachine', { vmId, startVm: true, rootDiskSizeBytes: 5 * 1024 ** 3 });
  await fixture.run('detachIso', { vmId, forced: false });
  const job = await fixture.run('restoreVirtualMachine', { vmId });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  const create = fixture.agents.calls.findLast((call) => call.method === 'volume.create')!.params as {
    sizeBytes?: number;
  };
  assert.equal(create.sizeBytes, 5 * 1024 ** 3);
  assert.equal('backing' in create, false);
  assert.equal(lastStart(fixture).cdrom?.path, isoFile);
  assert.equal((await fixture.vm(vmId)).iso_id, isoId);
});
