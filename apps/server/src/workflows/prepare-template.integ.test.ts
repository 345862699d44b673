import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentCallError } from '../domain/failure-policy.ts';
import { jobEnded, until } from '../jobs/testing/job-fixture.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

const poolIdsOf = (fixture: WorkflowFixture) => fixture.hosts.map(({ poolId }) => poolId);

test('a template is brought to every pool, behind deployments; those then move no byte', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 3 });
  const { templateId } = fixture;
  const job = await fixture.run('prepareTemplate', { templateId, poolIds: poolIdsOf(fixture) });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  assert.deepEqual(job.job_result, { success: true });
  for (const { poolId } of fixture.hosts) assert.equal((await fixture.spool(poolId))?.state, 'Ready');
  const attempts = await fixture.attempts(job.uuid);
  assert.deepEqual(
    attempts.map(({ pool_id, state, next }) => [pool_id, state, next]),
    poolIdsOf(fixture).map((poolId) => [poolId, 'succeeded', 'done']),
  );
  const prepares = fixture.agents.calls.filter(({ method }) => method === 'template.prepare');
  assert.ok(prepares.every(({ params }) => (params as { priority?: string }).priority === 'prefetch'));
  const { vmId } = await fixture.newVm();
  await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  assert.equal(fixture.agents.count('template.prepare'), 3);
});

test('no more pools are filled at once than the setting allows, and the percent is that of all', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 4 });
  await fixture.database
    .insertInto('configuration')
    .values({ name: 'template.preload.pool.size', value: '2' })
    .execute();
  let active = 0;
  let most = 0;
  const go = Promise.withResolvers<void>();
  fixture.agents.script('every', 'template.prepare', async (_params, { ordinary }) => {
    active += 1;
    most = Math.max(most, active);
    await go.promise;
    const result = await ordinary();
    active -= 1;
    return result;
  });
  const poolIds = poolIdsOf(fixture);
  const uuid = await fixture.enqueue('prepareTemplate', { templateId: fixture.templateId, poolIds });
  await until('two transfers', async () => active === 2);
  go.resolve();
  const job = await jobEnded(fixture.database, uuid);
  assert.equal(job.job_status, 1);
  assert.equal(most, 2);
  assert.equal((job.job_progress as { percent: number }).percent, 100);
});

test('a pool that cannot be filled is named with its reason, the others are filled', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 3 });
  const [first, , third] = fixture.hosts;
  await fixture.database
    .updateTable('host')
    .set({ status: 'Down' })
    .where('id', '=', third!.hostId)
    .execute();
  fixture.agents.script(first!.hostId, 'template.prepare', async () => {
    throw new AgentCallError('POOL_FULL', 'no space left', { failureClass: 'next-host' });
  });
  const poolIds = poolIdsOf(fixture);
  const job = await fixture.run('prepareTemplate', { templateId: fixture.templateId, poolIds });
  assert.equal(job.job_status, 2);
  const { errortext } = job.job_result as { errortext: string };
  assert.match(errortext, /not on 2 of 3 pool\(s\)/);
  assert.match(errortext, /pool host-1-local: no space left/);
  assert.match(errortext, /pool host-3-local: no host that reaches it is Up and Enabled/);
  assert.equal((await fixture.spool(fixture.hosts[1]!.poolId))?.state, 'Ready');
});

test('a pool that two hosts reach is filled by the second when the first fails', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 2 });
  const [first, second] = fixture.hosts;
  await fixture.database
    .insertInto('storage_pool_host_ref')
    .values({ pool_id: first!.poolId, host_id: second!.hostId, local_path: '/pools/shared' })
    .execute();
  fixture.agents.script(first!.hostId, 'template.prepare', async () => {
    throw new AgentCallError('AGENT_UNAVAILABLE', 'the host is away', { failureClass: 'next-host' });
  });
  const job = await fixture.run('prepareTemplate', {
    templateId: fixture.templateId,
    poolIds: [first!.poolId],
  });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  assert.deepEqual(
    (await fixture.attempts(job.uuid)).map(({ host_id, state }) => [host_id, state]),
    [
      [first!.hostId, 'failed'],
      [second!.hostId, 'succeeded'],
    ],
  );
});

test('the same wrong bytes at two hosts stop the job: the checksum is blamed, no third host fetches them', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 3 });
  await fixture.database
    .insertInto('configuration')
    .values({ name: 'template.preload.pool.size', value: '1' })
    .execute();
  fixture.agents.script('every', 'template.prepare', async () => {
    const attempt = {
      url: 'http://images.example.org/tiny.qcow2',
      sourceRank: 1,
      checksumAttempt: 1,
      tryNumber: 1,
      state: 'failed',
      bytes: 1000,
      bytesPerSecond: 1,
      durationMs: 1,
      checksum: `{SHA-256}${'cd'.repeat(32)}`,
    } as const;
    throw new AgentCallError('DIGEST_MISMATCH', 'wrong bytes', {
      failureClass: 'next-host',
      attempts: [attempt],
    });
  });
  const poolIds = poolIdsOf(fixture);
  const job = await fixture.run('prepareTemplate', { templateId: fixture.templateId, poolIds });
  assert.equal(job.job_status, 2);
  assert.match(
    (job.job_result as { errortext: string }).errortext,
    /checksum of the registration is most likely wrong/,
  );
  assert.equal(fixture.agents.count('template.prepare'), 2);
});
