import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceAttempt } from '@millrace/agent-protocol';
import { sleep } from '@millrace/core';
import { sql } from 'kysely';
import { AgentCallError } from '../domain/failure-policy.ts';
import { jobEnded, until } from '../jobs/testing/job-fixture.ts';
import { insertHost, insertTemplate } from '../store/testing/cloud-rows.ts';
import { transferProgress } from './testing/fake-agents.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

const full = () =>
  new AgentCallError('POOL_FULL', 'the pool has 12 bytes left', { failureClass: 'next-host' });

function errorText(job: { readonly job_result: unknown }): string {
  return String((job.job_result as { errortext?: unknown }).errortext);
}

async function deploy(fixture: WorkflowFixture, changes: { startVm?: boolean; hostId?: number } = {}) {
  const startVm = changes.startVm ?? true;
  const vm = await fixture.newVm({ startVm });
  const job = await fixture.run('deployVirtualMachine', { vmId: vm.vmId, ...changes, startVm });
  return { ...vm, job };
}

function sourcesOf(attempt: { readonly source_attempts: unknown } | undefined): readonly SourceAttempt[] {
  return (attempt?.source_attempts ?? []) as readonly SourceAttempt[];
}

/** Nothing of a failed deployment is left: no disk, no domain, no address, no transfer. */
async function assertNothingLeft(fixture: WorkflowFixture, vmId: number): Promise<void> {
  const { database, agents } = fixture;
  for (const { hostId } of fixture.hosts) {
    const template = await database.selectFrom('vm_template').select('uuid').executeTakeFirstOrThrow();
    assert.deepEqual(
      agents.files(hostId).filter((file) => !file.startsWith(template.uuid)),
      [],
    );
    assert.deepEqual(agents.domains(hostId), []);
  }
  const volumes = await database.selectFrom('volumes').selectAll().where('instance_id', '=', vmId).execute();
  assert.ok(
    volumes.every((volume) => volume.state === 'Expunged' && volume.removed !== null),
    JSON.stringify(volumes),
  );
  const nics = await database.selectFrom('nics').selectAll().where('instance_id', '=', vmId).execute();
  assert.ok(nics.every((nic) => nic.removed !== null));
  const leases = await database
    .selectFrom('template_spool_ref')
    .select('id')
    .where('lease_owner', 'is not', null)
    .execute();
  assert.deepEqual(leases, []);
  const vm = await fixture.vm(vmId);
  assert.equal(vm.state, 'Error');
  assert.equal(vm.host_id, null);
}

test('a deployment ends with a running instance, its record, and a copy that the next one reuses', async (t) => {
  const fixture = await startWorkflows(t);
  const { vmId, vmUuid, job } = await deploy(fixture);
  assert.equal(job.job_status, 1, errorText(job));
  const answer = job.job_result as { virtualmachine: { id: string; state: string } };
  assert.equal(answer.virtualmachine.id, vmUuid);
  assert.equal(answer.virtualmachine.state, 'Running');
  const host = fixture.hosts[0]!;
  const vm = await fixture.vm(vmId);
  assert.equal(vm.host_id, host.hostId);
  assert.deepEqual(fixture.agents.domains(host.hostId), [vmUuid]);
  const [attempt, ...more] = await fixture.attempts(job.uuid);
  assert.deepEqual(more, []);
  assert.equal(attempt?.state, 'succeeded');
  assert.equal(attempt?.next, 'done');
  assert.equal(sourcesOf(attempt).length, 1);
  const spool = await fixture.spool(host.poolId);
  assert.equal(spool?.state, 'Ready');
  assert.equal(spool?.download_state, 'DOWNLOADED');
  assert.equal(spool?.download_pct, 100);
  const progress = job.job_progress as { phase: string; percent: number; phasems: Record<string, number> };
  assert.equal(progress.phase, 'running');
  const second = await deploy(fixture);
  assert.equal(second.job.job_status, 1, errorText(second.job));
  assert.equal(fixture.agents.count('template.prepare'), 1);
  const events = await fixture.database
    .selectFrom('event')
    .select(['type', 'state', 'level'])
    .where('job_uuid', '=', job.uuid)
    .orderBy('id')
    .execute();
  assert.deepEqual(events, [
    { type: 'VM.CREATE', state: 'Started', level: 'INFO' },
    { type: 'TEMPLATE.DIRECT.DOWNLOAD.SUCCESS', state: 'Completed', level: 'INFO' },
    { type: 'VM.CREATE', state: 'Completed', level: 'INFO' },
  ]);
});

test('the host is told the source with its secrets, and the policy, and nobody else is', async (t) => {
  const fixture = await startWorkflows(t);
  await fixture.database
    .insertInto('vm_template_details')
    .values({ template_id: fixture.templateId, name: 'HTTP_HEADER:Authorization', value: 'Bearer s3cret' })
    .execute();
  const { job } = await deploy(fixture);
  const call = fixture.agents.calls.find(({ method }) => method === 'template.prepare');
  const params = call?.params as { source: { url: string; headers: object }; location: string[] };
  assert.match(params.source.url, /user:secret@/);
  assert.deepEqual(params.source.headers, { Authorization: 'Bearer s3cret' });
  assert.deepEqual(params.location, ['de']);
  assert.doesNotMatch(JSON.stringify(job), /s3cret|user:secret|token=secret/);
  const rows = await fixture.database.selectFrom('event').selectAll().execute();
  assert.doesNotMatch(JSON.stringify(rows), /s3cret|user:secret|token=secret/);
});

test('hosts are tried in turn, each at most once, and every attempt is recorded with what came next', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 3 });
  const [one, two, three] = fixture.hosts;
  fixture.agents.script(one!.hostId, 'template.prepare', async () => {
    throw full();
  });
  fixture.agents.script(two!.hostId, 'vm.start', async () => {
    throw new AgentCallError('VM_START_FAILED', 'no such bridge', { failureClass: 'next-host' });
  });
  const { vmId, job } = await deploy(fixture);
  assert.equal(job.job_status, 1, errorText(job));
  const attempts = await fixture.attempts(job.uuid);
  assert.deepEqual(
    attempts.map(({ host_id, state, reason, next }) => ({ host_id, state, reason, next })),
    [
      { host_id: one!.hostId, state: 'failed', reason: 'POOL_FULL', next: 'next-host' },
      { host_id: two!.hostId, state: 'failed', reason: 'VM_START_FAILED', next: 'next-host' },
      { host_id: three!.hostId, state: 'succeeded', reason: null, next: 'done' },
    ],
  );
  assert.equal((await fixture.vm(vmId)).host_id, three!.hostId);
  assert.deepEqual(fixture.agents.domains(two!.hostId), []);
  assert.equal(fixture.agents.files(two!.hostId).length, 1, 'the copy stays, the disk does not');
  const volumes = await fixture.database
    .selectFrom('volumes')
    .selectAll()
    .where('instance_id', '=', vmId)
    .where('removed', 'is', null)
    .execute();
  assert.equal(volumes.length, 1);
  assert.equal(volumes[0]?.pool_id, three!.poolId);
});

test('when every host failed the answer names every attempt, and nothing is left', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 2 });
  fixture.agents.script('every', 'vm.start', async () => {
    throw new AgentCallError('VM_START_FAILED', 'no such bridge', { failureClass: 'next-host' });
  });
  const { vmId, job } = await deploy(fixture);
  assert.equal(job.job_status, 2);
  assert.equal(job.job_result_code, 530);
  assert.match(errorText(job), /2 attempt\(s\).*host host-1.*no such bridge.*host host-2.*no such bridge/s);
  await assertNothingLeft(fixture, vmId);
  assert.match((await fixture.vm(vmId)).error_text ?? '', /no such bridge/);
  const forUsers = (job.job_result as { usertext: string }).usertext;
  assert.match(forUsers, /2 attempt\(s\).*no such bridge.*no such bridge/s);
  const shown = [forUsers, (await fixture.vm(vmId)).error_text];
  assert.doesNotMatch(JSON.stringify(shown), /host-\d/, 'tenants do not read the names of hosts and pools');
  const failed = await fixture.database
    .selectFrom('event')
    .select(['level', 'description'])
    .where('type', '=', 'VM.CREATE')
    .where('state', '=', 'Completed')
    .execute();
  assert.equal(failed[0]?.level, 'ERROR');
});

function digestFailure(received: string): AgentCallError {
  const attempts: SourceAttempt[] = [1, 2, 3].map((checksumAttempt) => ({
    url: 'http://images.example.org/tiny.qcow2',
    sourceRank: 1,
    checksumAttempt,
    tryNumber: 1,
    state: 'failed',
    bytes: 1000,
    bytesPerSecond: 10,
    durationMs: 100,
    reason: 'DIGEST_MISMATCH',
    message: `SHA-256 is ${received}, expected ${'ee'.repeat(32)}`,
    checksum: `{SHA-256}${received}`,
    next: checksumAttempt === 3 ? 'next-host' : 'next-checksum-attempt',
  }));
  return new AgentCallError('DIGEST_MISMATCH', 'the digest was wrong three times', {
    failureClass: 'next-host',
    attempts,
  });
}

test('a wrong checksum: three attempts recorded, Error, every attempt named, nothing left', async (t) => {
  const fixture = await startWorkflows(t);
  fixture.agents.script('every', 'template.prepare', async () => {
    throw digestFailure('ab'.repeat(32));
  });
  const { vmId, job } = await deploy(fixture);
  assert.equal(job.job_result_code, 530);
  const [attempt] = await fixture.attempts(job.uuid);
  assert.equal(sourcesOf(attempt).length, 3);
  for (const number of [1, 2, 3]) assert.match(errorText(job), new RegExp(`checksum attempt ${number}`));
  await assertNothingLeft(fixture, vmId);
  const spool = await fixture.spool(fixture.hosts[0]!.poolId);
  assert.equal(spool?.state, 'Failed');
  const events = await fixture.database
    .selectFrom('event')
    .select('level')
    .where('type', '=', 'TEMPLATE.DIRECT.DOWNLOAD.FAILURE')
    .execute();
  assert.deepEqual(events, [{ level: 'ERROR' }]);
});

test('identical wrong bytes at two hosts end the job before a third is tried, and blame the checksum', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 3 });
  fixture.agents.script('every', 'template.prepare', async () => {
    throw digestFailure('ab'.repeat(32));
  });
  const { job } = await deploy(fixture);
  const attempts = await fixture.attempts(job.uuid);
  assert.deepEqual(
    attempts.map(({ next }) => next),
    ['next-host', 'stop'],
  );
  assert.match(errorText(job), /checksum of the registration is most likely wrong/);
});

test('a refused image stops at once', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 3 });
  fixture.agents.script('every', 'template.prepare', async () => {
    throw new AgentCallError('IMAGE_HAS_BACKING_FILE', 'it names a backing file', { failureClass: 'stop' });
  });
  const { vmId, job } = await deploy(fixture);
  assert.equal((await fixture.attempts(job.uuid)).length, 1);
  assert.match(errorText(job), /backing file/);
  await assertNothingLeft(fixture, vmId);
});

test('no suitable host is a 533 that says why each was left out', async (t) => {
  const fixture = await startWorkflows(t);
  await fixture.database.updateTable('host').set({ resource_state: 'Maintenance' }).execute();
  const { vmId, job } = await deploy(fixture);
  assert.equal(job.job_result_code, 533);
  assert.match(errorText(job), /host-1: its resource state is Maintenance/);
  assert.equal((await fixture.attempts(job.uuid)).length, 0);
  await assertNothingLeft(fixture, vmId);
});

test('a host that is only reconnecting is waited for', async (t) => {
  const fixture = await startWorkflows(t);
  await fixture.database.updateTable('host').set({ status: 'Disconnected' }).execute();
  const vm = await fixture.newVm();
  const uuid = await fixture.enqueue('deployVirtualMachine', { vmId: vm.vmId, startVm: true });
  await until('the job waits', async () => {
    const row = await fixture.database
      .selectFrom('async_job')
      .select('job_progress')
      .executeTakeFirstOrThrow();
    return JSON.stringify(row.job_progress ?? '').includes('waiting-for-host');
  });
  await fixture.database.updateTable('host').set({ status: 'Up' }).execute();
  assert.equal((await jobEnded(fixture.database, uuid)).job_status, 1);
});

test('ten deployments of an uncached template at once cause one transfer that all of them show', async (t) => {
  const fixture = await startWorkflows(t);
  await fixture.database
    .updateTable('host')
    .set({ cpus: 100, ram: 1024 ** 4 })
    .execute();
  const release = Promise.withResolvers<void>();
  fixture.agents.script('every', 'template.prepare', async (_params, { progress, ordinary }) => {
    progress(transferProgress({ bytes: 700 }));
    await release.promise;
    return ordinary();
  });
  const uuids: string[] = [];
  for (let i = 0; i < 10; i++) {
    const vm = await fixture.newVm();
    uuids.push(await fixture.enqueue('deployVirtualMachine', { vmId: vm.vmId, startVm: true }));
  }
  await until('nine jobs mirror the transfer of the tenth', async () => {
    const rows = await fixture.database.selectFrom('async_job').select('job_progress').execute();
    const shown = rows.map((row) => row.job_progress as { phase?: string; bytes?: number } | null);
    return (
      shown.filter((progress) => progress?.phase === 'waiting-for-transfer' && progress.bytes === 700)
        .length === 9 && shown.some((progress) => progress?.phase === 'transferring')
    );
  });
  release.resolve();
  for (const uuid of uuids) assert.equal((await jobEnded(fixture.database, uuid)).job_status, 1);
  assert.equal(fixture.agents.count('template.prepare'), 1);
});

test('those who waited for a transfer fail with it, on that host, without one of their own', async (t) => {
  const fixture = await startWorkflows(t);
  const release = Promise.withResolvers<void>();
  fixture.agents.script('every', 'template.prepare', async () => {
    await release.promise;
    throw digestFailure('ab'.repeat(32));
  });
  const uuids: string[] = [];
  for (let i = 0; i < 4; i++) {
    const vm = await fixture.newVm();
    uuids.push(await fixture.enqueue('deployVirtualMachine', { vmId: vm.vmId, startVm: true }));
  }
  await until('three jobs wait', async () => {
    const rows = await fixture.database.selectFrom('async_job').select('job_progress').execute();
    return (
      rows.filter((row) => JSON.stringify(row.job_progress ?? '').includes('waiting-for-transfer')).length ===
      3
    );
  });
  release.resolve();
  for (const uuid of uuids) {
    const job = await jobEnded(fixture.database, uuid);
    assert.equal(job.job_result_code, 530);
    const [attempt] = await fixture.attempts(uuid);
    assert.equal(sourcesOf(attempt).length, 3);
  }
  assert.equal(fixture.agents.count('template.prepare'), 1);
});

test('a copy whose file has vanished is fetched again', async (t) => {
  const fixture = await startWorkflows(t);
  await deploy(fixture);
  const host = fixture.hosts[0]!;
  const spool = await fixture.spool(host.poolId);
  fixture.agents.lose(host.hostId, spool!.install_path!);
  const { job } = await deploy(fixture);
  assert.equal(job.job_status, 1, errorText(job));
  assert.equal(fixture.agents.count('template.prepare'), 2);
  assert.equal((await fixture.spool(host.poolId))?.generation, 2);
});

test('a lease whose owner is gone is taken over by whoever needs the copy', async (t) => {
  const fixture = await startWorkflows(t);
  const host = fixture.hosts[0]!;
  await fixture.database
    .insertInto('template_spool_ref')
    .values({
      pool_id: host.poolId,
      template_id: fixture.templateId,
      state: 'Allocated',
      download_state: 'DOWNLOAD_IN_PROGRESS',
      generation: 4,
      lease_owner: '7e0f1c64-3f59-4a3b-8d8e-0a2f6f3f9a55',
      lease_until: new Date(Date.now() + 3_600_000),
    })
    .execute();
  const { job } = await deploy(fixture);
  assert.equal(job.job_status, 1, errorText(job));
  assert.equal((await fixture.spool(host.poolId))?.generation, 5);
});

test('a server that stops during a transfer leaves it to the next one, which joins it', async (t) => {
  const fixture = await startWorkflows(t);
  const release = Promise.withResolvers<void>();
  const cancelled: unknown[] = [];
  fixture.agents.script('every', 'template.prepare', async (_params, { signal, progress, ordinary }) => {
    signal.addEventListener('abort', () => cancelled.push(signal.reason));
    progress(transferProgress());
    await release.promise;
    return ordinary();
  });
  const vm = await fixture.newVm();
  const uuid = await fixture.enqueue('deployVirtualMachine', { vmId: vm.vmId, startVm: true });
  await until('the transfer is shown', async () => {
    const spool = await fixture.spool(fixture.hosts[0]!.poolId);
    return spool?.transfer_progress !== null && spool?.transfer_progress !== undefined;
  });
  await fixture.jobs.stop(5000);
  await fixture.restartJobs(t, 'two');
  await until('the next server has the job', async () => {
    const row = await fixture.database
      .selectFrom('async_job')
      .select('executing_server')
      .executeTakeFirstOrThrow();
    return row.executing_server === 'two';
  });
  release.resolve();
  const job = await jobEnded(fixture.database, uuid);
  assert.equal(job.job_status, 1, errorText(job));
  assert.equal(fixture.agents.count('template.prepare'), 1, 'the same operation was joined');
  assert.deepEqual(cancelled, []);
  assert.equal((await fixture.attempts(uuid)).length, 1);
});

test('a database that goes away again and again does not fail the job', async (t) => {
  const fixture = await startWorkflows(t);
  const release = Promise.withResolvers<void>();
  fixture.agents.script('every', 'template.prepare', async (_params, { ordinary }) => {
    await release.promise;
    return ordinary();
  });
  const vm = await fixture.newVm();
  const uuid = await fixture.enqueue('deployVirtualMachine', { vmId: vm.vmId, startVm: true });
  await until('the transfer', () => fixture.agents.count('template.prepare') === 1);
  const { signal } = new AbortController();
  for (let round = 0; round < 8; round++) {
    if (round === 3) release.resolve();
    await terminateEverybody(fixture);
    await sleep(150, signal);
  }
  const job = await jobEnded(fixture.database, uuid);
  assert.equal(job.job_status, 1, errorText(job));
  assert.equal(fixture.agents.count('template.prepare'), 1);
});

async function terminateEverybody(fixture: WorkflowFixture): Promise<void> {
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
    .execute(fixture.database)
    .catch(() => {});
}

test('without startvm the disk is made and nothing is started', async (t) => {
  const fixture = await startWorkflows(t);
  const { vmId, job } = await deploy(fixture, { startVm: false });
  assert.equal(job.job_status, 1, errorText(job));
  const vm = await fixture.vm(vmId);
  assert.equal(vm.state, 'Stopped');
  assert.equal(vm.host_id, null);
  assert.deepEqual(fixture.agents.domains(fixture.hosts[0]!.hostId), []);
  const started = await fixture.run('startVirtualMachine', { vmId });
  assert.equal(started.job_status, 1, errorText(started));
  assert.equal((await fixture.vm(vmId)).state, 'Running');
});

test('a host that was asked for is the only one tried, and memory in use counts', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 2 });
  const second = fixture.hosts[1]!;
  const { vmId } = await deploy(fixture, { hostId: second.hostId });
  assert.equal((await fixture.vm(vmId)).host_id, second.hostId);
  await fixture.database.updateTable('service_offering').set({ ram_size: 8100 }).execute();
  const { job } = await deploy(fixture, { hostId: second.hostId });
  assert.equal(job.job_result_code, 533);
  assert.match(errorText(job), /not enough memory/);
});

test('a pool without room for the image is passed over', async (t) => {
  const fixture = await startWorkflows(t);
  const small = await insertHost(fixture.database, fixture.cloud, 'small', { availableBytes: 10 });
  const templateId = await insertTemplate(fixture.database, fixture.cloud);
  await fixture.database.updateTable('vm_template').set({ physical_size: 1000 }).execute();
  const space = (availableBytes: number) =>
    fixture.agents.script(small.hostId, 'pool.stats', async () => ({ capacityBytes: 2000, availableBytes }));
  const deploy = async () => {
    const { vmId } = await fixture.newVm({ templateId });
    return fixture.run('deployVirtualMachine', { vmId, startVm: true, hostId: small.hostId });
  };
  space(20);
  assert.match(errorText(await deploy()), /20 bytes free, the image alone has 1000/);
  // the database still believes in 20: the host is asked before anybody is refused
  space(1500);
  assert.equal((await deploy()).job_status, 1);
});
