import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { silentLogger } from '@millrace/core';
import { sql } from 'kysely';
import { settingsFrom } from '../domain/settings.ts';
import { jobEnded, until } from '../jobs/testing/job-fixture.ts';
import { insertTemplate } from '../store/testing/cloud-rows.ts';
import { removeOwnerlessPartials, removeUnusedCopies } from './template-cleanup.ts';
import { removeUnneededCopies } from './template-copies.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

const { signal } = new AbortController();

const depsOf = ({ database, agents }: WorkflowFixture) => ({ database, agents, signal, log: silentLogger });

async function prepared(fixture: WorkflowFixture, templateId = fixture.templateId): Promise<void> {
  const poolIds = fixture.hosts.map(({ poolId }) => poolId);
  const job = await fixture.run('prepareTemplate', { templateId, poolIds });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
}

/** Makes copies look as if nothing had used them for that long. */
async function unusedFor(fixture: WorkflowFixture, days: number, templateId?: number): Promise<void> {
  await fixture.database
    .updateTable('template_spool_ref')
    .set({ last_used: sql<Date>`now() - make_interval(days => ${days})` })
    .$if(templateId !== undefined, (query) => query.where('template_id', '=', templateId!))
    .execute();
}

async function clean(fixture: WorkflowFixture, texts: Readonly<Record<string, string>>): Promise<void> {
  await removeUnusedCopies(
    depsOf(fixture),
    async () => settingsFrom(new Map(Object.entries(texts))),
    randomUUID(),
  );
}

const byAge = { 'storage.template.cleanup.age': '30' };
const eventsOf = (fixture: WorkflowFixture, type: string) =>
  fixture.database.selectFrom('event').selectAll().where('type', '=', type).orderBy('id').execute();

test('a copy that nothing has used for the days of the setting goes, with an event that says why', async (t) => {
  const fixture = await startWorkflows(t);
  await prepared(fixture);
  const { hostId, poolId } = fixture.hosts[0]!;
  await unusedFor(fixture, 29);
  await clean(fixture, byAge);
  assert.equal(fixture.agents.files(hostId).length, 1, 'not yet');
  await unusedFor(fixture, 31);
  await clean(fixture, {});
  await clean(fixture, { ...byAge, 'storage.template.cleanup.enabled': 'false' });
  assert.equal(fixture.agents.files(hostId).length, 1, 'nobody asked for it');
  await clean(fixture, byAge);
  assert.deepEqual(fixture.agents.files(hostId), []);
  assert.equal(await fixture.spool(poolId), undefined);
  const [event] = await eventsOf(fixture, 'TEMPLATE.COPY.REMOVE');
  assert.match(event!.description, /pool host-1-local was removed: nothing has used it for 30 day\(s\)/);
  await prepared(fixture);
  assert.equal(fixture.agents.files(hostId).length, 1, 'the template is still there to be fetched');
});

test('a copy with a disk on it never goes, and is young again when the disk is gone', async (t) => {
  const fixture = await startWorkflows(t);
  const { vmId } = await fixture.newVm();
  await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  const { hostId, poolId } = fixture.hosts[0]!;
  await unusedFor(fixture, 31);
  await clean(fixture, byAge);
  assert.equal(fixture.agents.files(hostId).length, 2);
  await fixture.run('destroyVirtualMachine', { vmId, expunge: true });
  await clean(fixture, byAge);
  assert.equal((await fixture.spool(poolId))?.state, 'Ready');
  await unusedFor(fixture, 31);
  await clean(fixture, byAge);
  assert.deepEqual(fixture.agents.files(hostId), []);
});

test('an ISO in a drive, a transfer under way and a copy that a pending job needs never go', async (t) => {
  const fixture = await startWorkflows(t);
  const { database, hosts } = fixture;
  const isoId = await insertTemplate(database, fixture.cloud, { format: 'ISO' });
  const { vmId } = await fixture.newVm();
  await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  await prepared(fixture, isoId);
  await database.updateTable('vm_instance').set({ iso_id: isoId }).execute();
  await unusedFor(fixture, 31);
  await clean(fixture, byAge);
  assert.equal(fixture.agents.files(hosts[0]!.hostId).length, 3);

  await database.updateTable('vm_instance').set({ iso_id: null }).execute();
  const go = Promise.withResolvers<void>();
  fixture.agents.script('every', 'template.check', async (_params, { ordinary }) => {
    await go.promise;
    return ordinary();
  });
  const job = await fixture.enqueue('prepareTemplate', {
    templateId: isoId,
    poolIds: [hosts[0]!.poolId],
  });
  await until('the look at the copy', async () => fixture.agents.count('template.check') > 0);
  await unusedFor(fixture, 31);
  await clean(fixture, byAge);
  assert.equal(fixture.agents.files(hosts[0]!.hostId).length, 3, 'a job is about to use it');
  go.resolve();
  await jobEnded(database, job);
  await unusedFor(fixture, 31);
  await clean(fixture, byAge);
  assert.equal(fixture.agents.files(hosts[0]!.hostId).length, 2, 'the ISO has gone, the template has not');
});

test('a full pool loses its longest unused copies, and no more of them than it has to', async (t) => {
  const fixture = await startWorkflows(t);
  const { hostId, poolId } = fixture.hosts[0]!;
  const ids = [fixture.templateId];
  for (let i = 0; i < 2; i++) ids.push(await insertTemplate(fixture.database, fixture.cloud));
  for (const [index, templateId] of ids.entries()) {
    await prepared(fixture, templateId);
    await unusedFor(fixture, 10 + index, templateId);
  }
  // each copy takes 20 % of the pool, something else 40 %
  fixture.agents.script('every', 'pool.stats', async () => ({
    capacityBytes: 1000,
    availableBytes: 600 - 200 * fixture.agents.files(hostId).length,
  }));
  await fixture.database
    .updateTable('storage_pool')
    .set({ capacity_bytes: 1000, used_bytes: 1000 })
    .where('id', '=', poolId)
    .execute();
  await clean(fixture, { 'storage.template.cleanup.pressure': '80' });
  const left = await fixture.database.selectFrom('template_spool_ref').select('template_id').execute();
  assert.deepEqual(
    left.map((row) => row.template_id),
    ids.slice(0, 2),
  );
  const [event, second] = await eventsOf(fixture, 'TEMPLATE.COPY.REMOVE');
  assert.match(event!.description, /100 % of the pool are in use, and it was the longest unused/);
  assert.equal(second, undefined);
});

test('a removal that its host could not finish is finished later; who deploys meanwhile fetches the copy anew', async (t) => {
  const fixture = await startWorkflows(t);
  const { hostId, poolId } = fixture.hosts[0]!;
  await prepared(fixture);
  await unusedFor(fixture, 31);
  fixture.agents.script('every', 'template.remove', async () => {
    throw new Error('the host is sick');
  });
  await clean(fixture, byAge);
  assert.equal((await fixture.spool(poolId))?.marked_for_gc, true);
  const { vmId } = await fixture.newVm();
  const job = await fixture.enqueue('deployVirtualMachine', { vmId, startVm: true });
  await until('the disk that waits', async () =>
    (await fixture.database.selectFrom('volumes').select('pool_id').execute()).some(
      (row) => row.pool_id !== null,
    ),
  );
  fixture.agents.script('every', 'template.remove', undefined);
  await removeUnneededCopies(depsOf(fixture), { operation: 'next round' });
  const { job_status } = await jobEnded(fixture.database, job);
  assert.equal(job_status, 1);
  assert.equal(fixture.agents.count('template.prepare'), 2);
  assert.equal(fixture.agents.files(hostId).length, 2);
  const [event] = await eventsOf(fixture, 'TEMPLATE.COPY.REMOVE');
  assert.match(
    event!.description,
    /nothing has used it for 30 day/,
    'the reason is the one it was marked for',
  );
});

test('two servers that clean at the same time remove a copy once', async (t) => {
  const fixture = await startWorkflows(t);
  await prepared(fixture);
  await unusedFor(fixture, 31);
  const go = Promise.withResolvers<void>();
  fixture.agents.script('every', 'template.remove', async (_params, { ordinary }) => {
    await go.promise;
    return ordinary();
  });
  const first = clean(fixture, byAge);
  await until('the removal', async () => fixture.agents.count('template.remove') === 1);
  await removeUnneededCopies(depsOf(fixture), { operation: 'another server' });
  assert.equal(fixture.agents.count('template.remove'), 1);
  go.resolve();
  await first;
  assert.equal((await eventsOf(fixture, 'TEMPLATE.COPY.REMOVE')).length, 1);
});

test('evictTemplate removes an unused copy now, and refuses with who uses it', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 2 });
  const [first, second] = fixture.hosts;
  await prepared(fixture);
  const { templateId } = fixture;
  const evicted = await fixture.run('evictTemplate', { templateId, poolId: first!.poolId });
  assert.deepEqual(evicted.job_result, { success: true });
  assert.deepEqual(fixture.agents.files(first!.hostId), []);
  assert.equal(fixture.agents.files(second!.hostId).length, 1, 'the other pool keeps its own');
  const [event] = await eventsOf(fixture, 'TEMPLATE.COPY.REMOVE');
  assert.match(event!.description, /evictTemplate was called/);
  assert.equal(event!.job_uuid, evicted.uuid);

  const { vmId } = await fixture.newVm();
  await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  const { name } = await fixture.vm(vmId);
  const used = await fixture.database
    .selectFrom('volumes')
    .select('pool_id')
    .where('instance_id', '=', vmId)
    .executeTakeFirstOrThrow();
  const refused = await fixture.run('evictTemplate', { templateId, poolId: used.pool_id! });
  assert.equal(refused.job_status, 2);
  assert.match(JSON.stringify(refused.job_result), new RegExp(`is below ROOT-\\d+ of instance ${name}`));
});

test('a template that leaves a zone loses its copies there that nothing needs, at once or with their last disk', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 2 });
  const { database, templateId } = fixture;
  const [first, second] = fixture.hosts;
  const zone = await database
    .insertInto('data_center')
    .values({ uuid: randomUUID(), name: 'zone2', dns1: '192.0.2.1', internal_dns1: '192.0.2.1' })
    .returning('id')
    .executeTakeFirstOrThrow();
  await database
    .insertInto('template_zone_ref')
    .values({ zone_id: zone.id, template_id: templateId })
    .execute();
  await database.updateTable('vm_template').set({ cross_zones: true }).execute();
  await prepared(fixture);
  await database
    .updateTable('storage_pool')
    .set({ data_center_id: zone.id })
    .where('id', '=', second!.poolId)
    .execute();
  const left = await fixture.run('deleteTemplate', { templateId, forced: false, zoneId: zone.id });
  assert.deepEqual(left.job_result, { success: true });
  assert.deepEqual(fixture.agents.files(second!.hostId), []);
  assert.equal(fixture.agents.files(first!.hostId).length, 1, 'the other zone keeps its copy');
  const [deleted] = await eventsOf(fixture, 'TEMPLATE.DELETE');
  assert.match(deleted!.description, /tiny from zone zone2$/);
  const template = await database.selectFrom('vm_template').selectAll().executeTakeFirstOrThrow();
  assert.equal(template.removed, null);
  assert.equal(template.cross_zones, false, 'a zone made later does not get it');

  const { vmId } = await fixture.newVm();
  await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  await fixture.run('deleteTemplate', { templateId, forced: true, zoneId: fixture.cloud.zoneId });
  assert.equal((await fixture.spool(first!.poolId))?.state, 'Ready', 'a disk stands on it');
  await fixture.run('destroyVirtualMachine', { vmId, expunge: true });
  await removeUnneededCopies(depsOf(fixture), { operation: 'later' });
  assert.equal(await fixture.spool(first!.poolId), undefined);
  assert.deepEqual(fixture.agents.files(first!.hostId), []);
});

test('hosts are told which partial transfers have an owner; what they removed is an event', async (t) => {
  const fixture = await startWorkflows(t);
  const { poolId } = fixture.hosts[0]!;
  const asked: unknown[] = [];
  fixture.agents.script('every', 'pool.clean', async ({ owned }) => {
    asked.push(owned);
    return { removed: ['.millrace-partial-x.qcow2'] };
  });
  await fixture.database
    .insertInto('template_spool_ref')
    .values({
      pool_id: poolId,
      template_id: fixture.templateId,
      download_state: 'DOWNLOAD_IN_PROGRESS',
      state: 'Allocated',
      lease_owner: 'a job',
    })
    .execute();
  await removeOwnerlessPartials(depsOf(fixture));
  const { uuid } = await fixture.database.selectFrom('vm_template').select('uuid').executeTakeFirstOrThrow();
  assert.deepEqual(asked, [[{ name: uuid, underWay: true }]]);
  const [event] = await eventsOf(fixture, 'STORAGE.PARTIAL.REMOVE');
  assert.match(event!.description, /1 interrupted transfer\(s\) had left on storage pool host-1-local/);
});
