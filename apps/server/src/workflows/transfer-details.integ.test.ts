import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobEnded, until } from '../jobs/testing/job-fixture.ts';
import { transferProgress } from './testing/fake-agents.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

async function deploy(fixture: WorkflowFixture): Promise<void> {
  const { vmId } = await fixture.newVm();
  const job = await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
}

test('a copy below living disks is fetched again only as the very bytes that they were made from', async (t) => {
  const fixture = await startWorkflows(t);
  await deploy(fixture);
  const host = fixture.hosts[0]!;
  const spool = await fixture.spool(host.poolId);
  const checksumAsked = () =>
    fixture.agents.calls
      .filter((call) => call.method === 'template.prepare')
      .map((call) => (call.params as { source: { checksum?: string } }).source.checksum);
  assert.deepEqual(checksumAsked(), [undefined]);
  fixture.agents.lose(host.hostId, spool!.install_path!);
  await deploy(fixture);
  assert.deepEqual(checksumAsked(), [undefined, spool!.checksum]);
  // without disks on it, the source may have changed
  await fixture.database.updateTable('volumes').set({ state: 'Expunged', removed: new Date() }).execute();
  fixture.agents.lose(host.hostId, spool!.install_path!);
  await deploy(fixture);
  assert.deepEqual(checksumAsked(), [undefined, spool!.checksum, undefined]);
});

test('a URL is shown only while bytes come from it, with the number of sources', async (t) => {
  const fixture = await startWorkflows(t);
  await fixture.database.updateTable('vm_template').set({ source_count: 2 }).execute();
  const planned = Promise.withResolvers<void>();
  const moved = Promise.withResolvers<void>();
  fixture.agents.script('every', 'template.prepare', async (_params, { progress, ordinary }) => {
    progress(transferProgress({ phase: 'planning', url: 'http://images.example.org/tiny.meta4', bytes: 0 }));
    await planned.promise;
    progress(transferProgress());
    await moved.promise;
    return ordinary();
  });
  const { vmId } = await fixture.newVm();
  const uuid = await fixture.enqueue('deployVirtualMachine', { vmId, startVm: true });
  const progressAt = (bytes: number) =>
    until(`${bytes} bytes`, async () => {
      const { job_progress } = await fixture.database
        .selectFrom('async_job')
        .select('job_progress')
        .where('uuid', '=', uuid)
        .executeTakeFirstOrThrow();
      const progress = job_progress as Record<string, unknown> | null;
      return progress?.['bytes'] === bytes && progress;
    });
  const planning = await progressAt(0);
  assert.equal('url' in planning || 'sourcecount' in planning, false);
  planned.resolve();
  const moving = await progressAt(500);
  assert.equal(moving['url'], 'http://images.example.org/tiny.qcow2');
  assert.equal(moving['sourcecount'], 2);
  moved.resolve();
  await jobEnded(fixture.database, uuid);
});
