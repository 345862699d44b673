import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { AgentMethods, ParamsOf } from '@millrace/agent-protocol';
import { silentLogger } from '@millrace/core';
import { AgentCallError } from '../domain/failure-policy.ts';
import { jobEnded } from '../jobs/testing/job-fixture.ts';
import { insertHost } from '../store/testing/cloud-rows.ts';
import { bringMissingToStores, checkOneStoredCopy } from './image-store-housekeeping.ts';
import { removeUnneededCopies } from './template-copies.ts';
import { storedDigest } from './testing/fake-agents.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

const sourceUrl = 'http://user:secret@images.example.org/tiny.qcow2?token=secret';

interface StoreRows {
  readonly storeId: number;
  readonly workerId: number;
}

/** An image store with a machine of its own that looks after it. */
async function addStore(fixture: WorkflowFixture, name: string, address: string): Promise<StoreRows> {
  const { database, cloud } = fixture;
  const { hostId } = await insertHost(database, cloud, `worker-of-${name}`);
  await database
    .updateTable('host')
    .set({ type: 'SecondaryStorageVM', image_host_url: `http://${address}:8260` })
    .where('id', '=', hostId)
    .execute();
  const store = await database
    .insertInto('data_store')
    .values({
      uuid: randomUUID(),
      role: 'Image',
      provider: 'NFS',
      url: `nfs://${name}/images`,
      name,
      pool_type: 'NetworkFilesystem',
      host_address: name,
      path: '/images',
      scope: 'ZONE',
      data_center_id: cloud.zoneId,
      capacity_bytes: 10 ** 12,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await database
    .insertInto('storage_pool_host_ref')
    .values({ pool_id: store.id, host_id: hostId, local_path: `/mounts/${name}` })
    .execute();
  return { storeId: store.id, workerId: hostId };
}

async function classical(fixture: WorkflowFixture): Promise<void> {
  await fixture.database
    .updateTable('vm_template')
    .set({ direct_download: false })
    .where('id', '=', fixture.templateId)
    .execute();
}

function preparesAt(fixture: WorkflowFixture, hostId: number) {
  return fixture.agents.calls
    .filter((call) => call.method === 'template.prepare' && call.hostId === hostId)
    .map(({ params }) => params as ParamsOf<AgentMethods, 'template.prepare'>);
}

const housekeeping = (fixture: WorkflowFixture) => ({
  agents: fixture.agents,
  database: fixture.database,
  jobs: fixture.jobs,
  log: silentLogger,
  signal: new AbortController().signal,
});

test('an image goes from its source to the store, is read back there, and from the store to each pool', async (t) => {
  const fixture = await startWorkflows(t, { hosts: 2 });
  const { templateId, hosts } = fixture;
  await classical(fixture);
  const { storeId, workerId } = await addStore(fixture, 'store-1', '10.0.0.9');
  const stored = await fixture.run('prepareTemplate', { templateId, poolIds: [storeId] });
  assert.equal(stored.job_status, 1, JSON.stringify(stored.job_result));
  assert.equal(preparesAt(fixture, workerId)[0]!.source.url, sourceUrl);
  const onStore = await fixture.spool(storeId);
  assert.equal(onStore?.file_digest, storedDigest);
  for (const { poolId } of hosts)
    assert.equal((await fixture.run('prepareTemplate', { templateId, poolIds: [poolId] })).job_status, 1);
  for (const { hostId, poolId } of hosts) {
    const [order] = preparesAt(fixture, hostId);
    assert.match(order!.source.url, /^http:\/\/10\.0\.0\.9:8260\/image\/[\w-]+\.qcow2\?grant=secret$/);
    assert.equal(order!.source.checksum, storedDigest);
    assert.ok(order!.policy.egressAllowedCidrs.includes('10.0.0.9/32'));
    const copy = await fixture.spool(poolId);
    // what it is compared with other copies by is what the source sent, whatever way it came
    assert.equal(copy?.checksum, onStore?.checksum);
    assert.equal(copy?.file_digest, storedDigest);
  }
  const events = await fixture.database
    .selectFrom('event')
    .select(['type', 'description'])
    .where('type', '=', 'TEMPLATE.DOWNLOAD.SUCCESS')
    .orderBy('id')
    .execute();
  assert.deepEqual(
    events.map(({ description }) => description),
    [
      'Template tiny was downloaded to image store: 1000 bytes',
      'Template tiny was downloaded to primary storage from image store store-1: 1000 bytes',
      'Template tiny was downloaded to primary storage from image store store-1: 1000 bytes',
    ],
  );
});

test('an instance is refused, with a reason, when no store has its image', async (t) => {
  const fixture = await startWorkflows(t);
  await classical(fixture);
  const { vmId } = await fixture.newVm();
  const job = await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  assert.equal(job.job_status, 2);
  assert.match(JSON.stringify(job.job_result), /no image store has the template whole/);
  assert.equal(fixture.agents.count('template.prepare'), 0);
});

test('when a store is gone in the middle of a copy, the image comes from the other store', async (t) => {
  const fixture = await startWorkflows(t);
  const { templateId, hosts } = fixture;
  await classical(fixture);
  const first = await addStore(fixture, 'store-1', '10.0.0.9');
  const second = await addStore(fixture, 'store-2', '10.0.0.10');
  await fixture.run('prepareTemplate', { templateId, poolIds: [first.storeId] });
  await fixture.run('prepareTemplate', { templateId, poolIds: [second.storeId] });
  // the second store got it from the first, not from the internet
  assert.match(preparesAt(fixture, second.workerId)[0]!.source.url, /^http:\/\/10\.0\.0\.9:8260\//);
  fixture.agents.script(hosts[0]!.hostId, 'template.prepare', async ({ source }, { ordinary }) => {
    if (!source.url.includes('10.0.0.9')) return ordinary();
    throw new AgentCallError('ALL_SOURCES_FAILED', 'connection reset', { failureClass: 'next-host' });
  });
  const job = await fixture.run('prepareTemplate', { templateId, poolIds: [hosts[0]!.poolId] });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  assert.deepEqual(
    preparesAt(fixture, hosts[0]!.hostId).map(({ source }) => new URL(source.url).host),
    ['10.0.0.9:8260', '10.0.0.10:8260'],
  );
});

test('a store that is lost with its image is filled again from a pool that has it, not from the source', async (t) => {
  const fixture = await startWorkflows(t);
  const { templateId, hosts, database } = fixture;
  await classical(fixture);
  const lost = await addStore(fixture, 'store-1', '10.0.0.9');
  await fixture.run('prepareTemplate', { templateId, poolIds: [lost.storeId] });
  await fixture.run('prepareTemplate', { templateId, poolIds: [hosts[0]!.poolId] });
  await database
    .updateTable('host')
    .set({ image_host_url: 'http://10.0.0.1:8260' })
    .where('id', '=', hosts[0]!.hostId)
    .execute();
  await database
    .updateTable('data_store')
    .set({ removed: new Date() })
    .where('id', '=', lost.storeId)
    .execute();
  const { storeId, workerId } = await addStore(fixture, 'store-2', '10.0.0.10');
  assert.equal(await bringMissingToStores(housekeeping(fixture)), 1);
  const job = await database
    .selectFrom('async_job')
    .select('uuid')
    .orderBy('id', 'desc')
    .executeTakeFirstOrThrow();
  assert.equal((await jobEnded(database, job.uuid)).job_status, 1);
  assert.match(preparesAt(fixture, workerId)[0]!.source.url, /^http:\/\/10\.0\.0\.1:8260\//);
  assert.equal((await fixture.spool(storeId))?.state, 'Ready');
  assert.equal(await bringMissingToStores(housekeeping(fixture)), 0);
});

test('a stored image that has changed, or is gone, is told of, removed and brought there again', async (t) => {
  const fixture = await startWorkflows(t);
  const { templateId, database, agents } = fixture;
  await classical(fixture);
  const { storeId, workerId } = await addStore(fixture, 'store-1', '10.0.0.9');
  await fixture.run('prepareTemplate', { templateId, poolIds: [storeId] });
  const deps = housekeeping(fixture);
  const long = () =>
    database
      .updateTable('template_spool_ref')
      .set({ checked: new Date(0) })
      .execute();
  assert.equal(await checkOneStoredCopy(deps), undefined);
  await long();
  assert.equal(await checkOneStoredCopy(deps), 'whole');
  await long();
  agents.script(workerId, 'template.digest', async () => ({
    checksum: `{SHA-256}${'ef'.repeat(32)}`,
    sizeBytes: 1000,
  }));
  assert.equal(await checkOneStoredCopy(deps), 'damaged');
  assert.deepEqual(agents.files(workerId), []);
  assert.notEqual((await fixture.spool(storeId))?.state, 'Ready');
  agents.script(workerId, 'template.digest', undefined);
  assert.equal(await bringMissingToStores(deps), 1);
  const alerts = await database
    .selectFrom('event')
    .select('description')
    .where('type', '=', 'TEMPLATE.COPY.DAMAGED')
    .execute();
  assert.match(alerts[0]!.description, /template tiny was damaged on image store store-1/);
});

test('what hosts download themselves from now on leaves the store; its copies on pools stay', async (t) => {
  const fixture = await startWorkflows(t);
  const { templateId, hosts, database, agents } = fixture;
  await classical(fixture);
  const { storeId, workerId } = await addStore(fixture, 'store-1', '10.0.0.9');
  await fixture.run('prepareTemplate', { templateId, poolIds: [storeId] });
  await fixture.run('prepareTemplate', { templateId, poolIds: [hosts[0]!.poolId] });
  await database.updateTable('vm_template').set({ direct_download: true }).execute();
  await removeUnneededCopies(housekeeping(fixture), { operation: 'test' });
  assert.deepEqual(agents.files(workerId), []);
  assert.equal(agents.files(hosts[0]!.hostId).length, 1);
  assert.equal(await fixture.spool(storeId), undefined);
});

test('an image on a pool is offered to users when its host serves images', async (t) => {
  const fixture = await startWorkflows(t);
  const { templateId, hosts, database } = fixture;
  const none = await fixture.run('extractTemplate', { templateId });
  assert.match(JSON.stringify(none.job_result), /there is no copy of Template tiny that could be offered/);
  await fixture.run('prepareTemplate', { templateId, poolIds: [hosts[0]!.poolId] });
  const off = await fixture.run('extractTemplate', { templateId });
  assert.match(JSON.stringify(off.job_result), /no host that reaches it serves images/);
  await database
    .updateTable('host')
    .set({ image_host_url: 'http://10.0.0.1:8260', image_public_url: 'https://images.example.org' })
    .where('id', '=', hosts[0]!.hostId)
    .execute();
  const job = await fixture.run('extractTemplate', { templateId });
  const { template } = job.job_result as { template: Record<string, string> };
  assert.match(template['url']!, /^https:\/\/images\.example\.org\/image\/[\w-]+\.qcow2\?grant=secret$/);
  assert.equal(template['storagetype'], 'primary');
  assert.equal(template['state'], 'DOWNLOAD_URL_CREATED');
});

test('a copy on a pool is verified when somebody asks; damage is told of, and goes unless a disk stands on it', async (t) => {
  const fixture = await startWorkflows(t);
  const { templateId, hosts, database, agents } = fixture;
  const { hostId, poolId } = hosts[0]!;
  const key = { templateId, poolId };
  const becomes = (digit: string) =>
    agents.script(hostId, 'template.digest', async () => ({
      checksum: `{SHA-256}${digit.repeat(64)}`,
      sizeBytes: 1000,
    }));
  await fixture.run('prepareTemplate', { templateId, poolIds: [poolId] });
  await database.updateTable('template_spool_ref').set({ file_digest: null }).execute();
  becomes('a');
  const first = await fixture.run('verifyTemplate', key);
  assert.match(JSON.stringify(first.job_result), /nothing was known of the file to compare it with/);
  const second = await fixture.run('verifyTemplate', key);
  assert.match(JSON.stringify(second.job_result), /it is what it was/);
  const { vmId } = await fixture.newVm();
  await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  becomes('b');
  const used = await fixture.run('verifyTemplate', key);
  assert.equal(used.job_status, 2);
  assert.match(JSON.stringify(used.job_result), /was damaged on storage pool host-1-local: it is below ROOT/);
  assert.equal((await fixture.spool(poolId))?.state, 'Ready');
  await fixture.run('destroyVirtualMachine', { vmId, expunge: true });
  const unused = await fixture.run('verifyTemplate', key);
  assert.match(JSON.stringify(unused.job_result), /it is removed, and fetched again/);
  assert.equal(await fixture.spool(poolId), undefined);
});
