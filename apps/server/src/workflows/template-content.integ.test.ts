import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceAttempt } from '@millrace/agent-protocol';
import { AgentCallError } from '../domain/failure-policy.ts';
import { until } from '../jobs/testing/job-fixture.ts';
import { insertTemplate } from '../store/testing/cloud-rows.ts';
import { prepared } from './testing/fake-agents.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

const digest = (byte: string) => `{SHA-256}${byte.repeat(32)}`;
const oldBytes = digest('ab');
const newBytes = digest('cd');

/** From now on every source yields these bytes; a host that is to expect others fails as the engine does. */
function sourceYields(fixture: WorkflowFixture, checksum: string): void {
  fixture.agents.script('every', 'template.prepare', async ({ source, installPath }, { ordinary }) => {
    if (source.checksum !== undefined && source.checksum !== checksum)
      throw new AgentCallError('DIGEST_MISMATCH', 'the bytes are not the expected ones', {
        failureClass: 'next-host',
        attempts: [wrongBytes(checksum)],
      });
    await ordinary();
    return { ...prepared(installPath), checksum, verifiedBy: source.checksum ? 'digest' : 'nothing' };
  });
}

function wrongBytes(checksum: string): SourceAttempt {
  return {
    ...{ url: 'http://images.example.org/tiny.qcow2', sourceRank: 1, checksumAttempt: 1, tryNumber: 1 },
    ...{ state: 'failed', bytes: 1000, bytesPerSecond: 1, durationMs: 1, checksum },
  };
}

const setChoice = (fixture: WorkflowFixture, value: string) =>
  fixture.database.insertInto('configuration').values({ name: 'template.source.changed', value }).execute();

async function prepareAt(fixture: WorkflowFixture, host: number, templateId = fixture.templateId) {
  const { poolId } = fixture.hosts[host]!;
  const job = await fixture.run('prepareTemplate', { templateId, poolIds: [poolId] });
  return { job, text: JSON.stringify(job.job_result) };
}

const eventsOf = (fixture: WorkflowFixture) =>
  fixture.database.selectFrom('event').selectAll().where('type', '=', 'TEMPLATE.SOURCE.CHANGED').execute();
const versionsOf = async (fixture: WorkflowFixture) =>
  (await fixture.database.selectFrom('template_content').selectAll().orderBy('version').execute()).map(
    ({ version, digest: bytes }) => [version, bytes],
  );

test('a source that yields other bytes than the template’s copies have is refused: both digests, what to do, an event', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 3 });
  sourceYields(fixture, oldBytes);
  await prepareAt(fixture, 0);
  sourceYields(fixture, newBytes);
  const { job, text } = await prepareAt(fixture, 1);
  assert.equal(job.job_status, 2);
  assert.match(text, new RegExp(`now yields ${newBytes}, but copies of the template have ${oldBytes}`));
  assert.match(text, /template\.source\.changed value=follow.*evictTemplate/);
  assert.equal((await fixture.spool(fixture.hosts[1]!.poolId))?.state, 'Failed');
  const [event, second] = await eventsOf(fixture);
  assert.equal(event!.level, 'ERROR');
  assert.match(event!.description, new RegExp(newBytes));
  assert.equal(second, undefined);
  assert.equal((await fixture.attempts(job.uuid))[0]?.reason, 'TEMPLATE_SOURCE_CHANGED');
  assert.deepEqual(await versionsOf(fixture), [[1, oldBytes]]);
});

test('a deployment ends at the first pool whose source has changed: no third host fetches the same', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 3 });
  sourceYields(fixture, oldBytes);
  await prepareAt(fixture, 2);
  await fixture.database
    .updateTable('host')
    .set({ status: 'Down' })
    .where('id', '=', fixture.hosts[2]!.hostId)
    .execute();
  sourceYields(fixture, newBytes);
  const { vmId } = await fixture.newVm();
  const job = await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  assert.equal(job.job_status, 2);
  assert.match(JSON.stringify(job.job_result), /copies of the template have/);
  assert.equal(fixture.agents.count('template.prepare'), 2);
});

test('told to follow, pools get the new bytes as the next version, and the difference is an event', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 3 });
  await setChoice(fixture, 'follow');
  sourceYields(fixture, oldBytes);
  await prepareAt(fixture, 0);
  sourceYields(fixture, newBytes);
  assert.equal((await prepareAt(fixture, 1)).job.job_status, 1);
  const [event] = await eventsOf(fixture);
  assert.equal(event!.level, 'WARN');
  assert.match(event!.description, new RegExp(`${newBytes}, copies on other pools have ${oldBytes}`));
  assert.deepEqual(await versionsOf(fixture), [
    [1, oldBytes],
    [2, newBytes],
  ]);
  await fixture.database.deleteFrom('configuration').execute();
  assert.equal((await prepareAt(fixture, 2)).job.job_status, 1, 'the newest version is the template’s');
});

test('without copies a source may change, unless it is pinned', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 2 });
  const { templateId, hosts } = fixture;
  sourceYields(fixture, oldBytes);
  await prepareAt(fixture, 0);
  await fixture.run('evictTemplate', { templateId, poolId: hosts[0]!.poolId });
  sourceYields(fixture, newBytes);
  await setChoice(fixture, 'pin');
  const pinned = await prepareAt(fixture, 0);
  assert.equal(pinned.job.job_status, 2);
  assert.match(pinned.text, new RegExp(oldBytes));
  await fixture.database.deleteFrom('configuration').execute();
  assert.equal((await prepareAt(fixture, 0)).job.job_status, 1);
});

test('two pools that get different bytes at the same time do not both keep them', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 2 });
  let begun = 0;
  fixture.agents.script('every', 'template.prepare', async ({ installPath }, { ordinary }) => {
    const checksum = begun++ === 0 ? oldBytes : newBytes;
    await until('both', async () => begun === 2);
    await ordinary();
    return { ...prepared(installPath), checksum };
  });
  const job = await fixture.run('prepareTemplate', {
    templateId: fixture.templateId,
    poolIds: fixture.hosts.map(({ poolId }) => poolId),
  });
  assert.match(JSON.stringify(job.job_result), /not on 1 of 2 pool\(s\).*the source now yields/);
  const files = fixture.hosts.flatMap(({ hostId }) => fixture.agents.files(hostId));
  assert.equal(files.length, 1, 'the file that is not kept has gone');
  const states = await fixture.database
    .selectFrom('template_spool_ref')
    .select('state')
    .orderBy('state')
    .execute();
  assert.deepEqual(states, [{ state: 'Failed' }, { state: 'Ready' }]);
});

test('a file of unknown content is fetched anew where other copies say what it must be', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 2 });
  sourceYields(fixture, oldBytes);
  await prepareAt(fixture, 0);
  let asked = 0;
  fixture.agents.script('every', 'template.prepare', async ({ installPath }, { ordinary }) => {
    await ordinary();
    const reused = asked++ === 0;
    return { ...prepared(installPath), reused, checksum: reused ? '' : oldBytes };
  });
  assert.equal((await prepareAt(fixture, 1)).job.job_status, 1);
  assert.equal(asked, 2);
  assert.equal(fixture.agents.count('template.remove'), 1);
  assert.equal((await fixture.spool(fixture.hosts[1]!.poolId))?.checksum, oldBytes);
});

async function sameFor(
  fixture: WorkflowFixture,
  change: (templateId: number, first: number) => Promise<unknown>,
): Promise<string | undefined> {
  const first = await insertTemplate(fixture.database, fixture.cloud, { checksum: oldBytes });
  const second = await insertTemplate(fixture.database, fixture.cloud, { checksum: oldBytes });
  await prepareAt(fixture, 0, first);
  await change(second, first);
  await prepareAt(fixture, 0, second);
  const call = fixture.agents.calls.findLast(({ method }) => method === 'template.prepare');
  return (call!.params as { same?: string }).same;
}

test('a template that declares the checksum of a copy on the pool is made of that copy', async (t) => {
  const fixture = await startWorkflows(t);
  sourceYields(fixture, oldBytes);
  let firstUuid = '';
  const same = await sameFor(fixture, async (_second, first) => {
    const row = await fixture.database
      .selectFrom('vm_template')
      .select('uuid')
      .where('id', '=', first)
      .executeTakeFirstOrThrow();
    firstUuid = row.uuid;
  });
  assert.equal(same, `${firstUuid}.qcow2`);
});

test('not of one of another format, of a digest that was believed, or of somebody else’s private template', async (t) => {
  const fixture = await startWorkflows(t);
  const { database } = fixture;
  sourceYields(fixture, oldBytes);
  const copies = () => database.updateTable('template_spool_ref');
  const templates = (id: number) => database.updateTable('vm_template').where('id', '=', id);
  const other = await database
    .insertInto('account')
    .values({ uuid: crypto.randomUUID(), account_name: 'ann', type: 0, domain_id: 1 })
    .returning('id')
    .executeTakeFirstOrThrow();
  const begin = () => database.deleteFrom('template_spool_ref').execute();
  for (const [what, change] of [
    ['format', (id: number) => templates(id).set({ format: 'RAW' }).execute()],
    ['believed', () => copies().set({ digest_computed: false }).execute()],
    ['going', () => copies().set({ marked_for_gc: true }).execute()],
    ['account', (id: number) => templates(id).set({ account_id: other.id }).execute()],
  ] as const) {
    assert.equal(await sameFor(fixture, change), undefined, what);
    await begin();
  }
  const shared = await sameFor(fixture, async (id, first) => {
    await templates(id).set({ account_id: other.id }).execute();
    await templates(first).set({ public: true }).execute();
  });
  assert.notEqual(shared, undefined, 'a public one is everybody’s');
});
