import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import {
  addHost,
  addTenant,
  rows,
  type Tenant,
  type TestApi,
  withTestApi,
} from '../http/testing/test-api.ts';
import { insertJob } from '../store/async-jobs.ts';

async function addJob(api: TestApi, owner: Tenant): Promise<string> {
  const uuid = randomUUID();
  await insertJob(api.database, {
    uuid,
    command: 'deployVirtualMachine',
    parameters: { vmId: 1, startVm: true },
    userId: owner.userId,
    accountId: owner.accountId,
    instanceType: 'VirtualMachine',
    instanceUuid: randomUUID(),
  });
  return uuid;
}

/** What a deployment leaves behind while it runs. */
async function addAttempt(api: TestApi, jobUuid: string) {
  const host = await addHost(api.database, 'host1');
  const job = await api.database
    .selectFrom('async_job')
    .select('id')
    .where('uuid', '=', jobUuid)
    .executeTakeFirstOrThrow();
  const source = {
    url: 'https://a.example/x',
    sourceRank: 1,
    checksumAttempt: 1,
    tryNumber: 1,
    state: 'failed',
    bytes: 10,
    bytesPerSecond: 5,
    durationMs: 2000,
    reason: 'HTTP_STATUS',
    next: 'next-source',
  };
  await api.database
    .insertInto('deployment_attempt')
    .values({
      job_id: job.id,
      ordinal: 1,
      host_id: host.hostId,
      pool_id: host.poolId,
      state: 'failed',
      reason: 'NO_SPACE',
      message: 'the pool is full',
      next: 'next-host',
      source_attempts: JSON.stringify([source]),
      phase_ms: JSON.stringify({ transferring: 2000 }),
      ended: new Date(),
    })
    .execute();
}

test('a pending job shows its progress and attempts but no result', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const jobid = await addJob(api, ann);
  await addAttempt(api, jobid);
  const progress = { phase: 'transferring', percent: 40, hostname: 'host1', poolname: 'p', bytes: 10 };
  await api.database
    .updateTable('async_job')
    .set({ job_progress: JSON.stringify(progress) })
    .execute();
  const { content } = await api.call('queryAsyncJobResult', { jobid });
  assert.equal(content['jobid'], jobid);
  assert.equal(content['jobstatus'], 0);
  assert.equal(content['jobresultcode'], 0);
  assert.equal('jobresult' in content, false);
  assert.equal('completed' in content, false);
  assert.deepEqual(content['jobprogress'], progress);
  const [attempt] = content['jobattempts'] as Record<string, unknown>[];
  assert.equal(attempt!['host'], 'host1');
  assert.equal(attempt!['pool'], 'host1-local');
  assert.equal(attempt!['reason'], 'NO_SPACE');
  assert.equal(attempt!['next'], 'next-host');
  assert.deepEqual(attempt!['phasems'], { transferring: 2000 });
  const [source] = attempt!['sources'] as Record<string, unknown>[];
  assert.deepEqual(Object.keys(source!).sort(), [
    'bytes',
    'bytespersecond',
    'checksumattempt',
    'durationms',
    'next',
    'reason',
    'sourcerank',
    'state',
    'trynumber',
    'url',
  ]);
});

test('its owner sees the same job without the names of hosts and pools', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const jobid = await addJob(api, ann);
  await addAttempt(api, jobid);
  const progress = { phase: 'starting', percent: 90, hostname: 'host1', poolname: 'p' };
  const result = {
    virtualmachine: { id: 'x', hostname: 'host1', hostid: 'h', instancename: 'i-1', state: 'Running' },
  };
  await api.database
    .updateTable('async_job')
    .set({
      job_progress: JSON.stringify(progress),
      job_status: 1,
      job_result: JSON.stringify(result),
      completed: new Date(),
    })
    .execute();
  const own = await api.call('queryAsyncJobResult', { jobid }, ann);
  assert.deepEqual(own.content['jobresult'], { virtualmachine: { id: 'x', state: 'Running' } });
  assert.deepEqual(own.content['jobprogress'], { phase: 'starting', percent: 90 });
  assert.equal(own.text.includes('host1'), false);
  assert.match(own.text, /the pool is full/);
  const forAdmin = await api.call('queryAsyncJobResult', { jobid });
  assert.deepEqual(forAdmin.content['jobresult'], result);
  assert.equal(forAdmin.content['jobresulttype'], 'object');
});

test('a failed job carries its error and its code', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const jobid = await addJob(api, ann);
  const failure = { errorcode: 530, cserrorcode: 4250, errortext: 'every host failed', uuidList: [] };
  await api.database
    .updateTable('async_job')
    .set({ job_status: 2, job_result_code: 530, job_result: JSON.stringify(failure), completed: new Date() })
    .execute();
  const { content } = await api.call('queryAsyncJobResult', { jobid }, ann);
  assert.equal(content['jobstatus'], 2);
  assert.equal(content['jobresultcode'], 530);
  assert.deepEqual(content['jobresult'], failure);
});

test('what a failed job says of hosts is for root admins', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const jobid = await addJob(api, ann);
  const failure = { errorcode: 530, cserrorcode: 4250, errortext: 'host node7: /srv/pool is broken' };
  const result = JSON.stringify({ ...failure, usertext: 'the storage pool cannot be used' });
  await api.database
    .updateTable('async_job')
    .set({ job_status: 2, job_result_code: 530, job_result: result, completed: new Date() })
    .execute();
  const forAnn = await api.call('queryAsyncJobResult', { jobid }, ann);
  assert.deepEqual(forAnn.content['jobresult'], { ...failure, errortext: 'the storage pool cannot be used' });
  assert.deepEqual((await api.call('queryAsyncJobResult', { jobid })).content['jobresult'], failure);
  assert.equal((await api.call('listAsyncJobs', {}, ann)).text.includes('node7'), false);
});

test('jobs of other tenants do not exist for a user, in either command', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const bob = await addTenant(api.database, 'bob');
  const jobid = await addJob(api, ann);
  assert.equal((await api.call('queryAsyncJobResult', { jobid }, bob)).status, 431);
  assert.equal((await api.call('queryAsyncJobResult', { jobid: randomUUID() })).status, 431);
  assert.deepEqual((await api.call('listAsyncJobs', { listall: 'true' }, bob)).content, {});
  assert.deepEqual((await api.call('listAsyncJobs')).content, {});
  const all = await api.call('listAsyncJobs', { listall: 'true', startdate: '2020-01-01' });
  assert.deepEqual(
    rows(all).map((row) => row['jobid']),
    [jobid],
  );
  assert.deepEqual(
    (await api.call('listAsyncJobs', { listall: 'true', startdate: '2199-01-01' })).content,
    {},
  );
});

test('jobs are listed by what they are about, and by their status', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const jobid = await addJob(api, ann);
  const ended = await addJob(api, ann);
  await api.database.updateTable('async_job').set({ job_status: 1 }).where('uuid', '=', ended).execute();
  const { instance_uuid: about } = await api.database
    .selectFrom('async_job')
    .select('instance_uuid')
    .where('uuid', '=', jobid)
    .executeTakeFirstOrThrow();
  const found = async (params: Record<string, string>) =>
    rows(await api.call('listAsyncJobs', params, ann)).map((row) => row['jobid']);
  assert.deepEqual(await found({ resourceid: about! }), [jobid]);
  assert.deepEqual(await found({ resourceid: about!, resourcetype: 'virtualmachine' }), [jobid]);
  assert.deepEqual(await found({ resourceid: about!, resourcetype: 'Volume' }), []);
  assert.deepEqual(await found({ jobstatus: '0' }), [jobid]);
  assert.deepEqual(await found({ jobstatus: '1' }), [ended]);
});
