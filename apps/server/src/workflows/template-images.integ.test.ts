import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { silentLogger } from '@millrace/core';
import { setImageAside } from '../store/template-images.ts';
import { removeUnneededCopies } from './template-copies.ts';
import { startWorkflows, type WorkflowFixture } from './testing/workflow-fixture.ts';

const { signal } = new AbortController();

async function giveOtherImage({ database, templateId }: WorkflowFixture): Promise<void> {
  await database.transaction().execute(async (trx) => {
    const template = await trx
      .selectFrom('vm_template')
      .selectAll()
      .where('id', '=', templateId)
      .executeTakeFirstOrThrow();
    await setImageAside(trx, template);
  });
}

/** Files of images on the host, without those of disks. */
async function imagesOn(fixture: WorkflowFixture): Promise<string[]> {
  const disks = await fixture.database.selectFrom('volumes').select('path').execute();
  const names = new Set(disks.map(({ path }) => path));
  return fixture.agents.files(fixture.hosts[0]!.hostId).filter((name) => !names.has(name));
}

async function running(fixture: WorkflowFixture): Promise<number> {
  const { vmId } = await fixture.newVm();
  const job = await fixture.run('deployVirtualMachine', { vmId, startVm: true });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  return vmId;
}

test('after a template got another image, new disks stand on it and old ones on the image before, which goes with them', async (t) => {
  const fixture = await startWorkflows(t);
  const clean = () =>
    removeUnneededCopies(
      { database: fixture.database, agents: fixture.agents, log: silentLogger, signal },
      { operation: randomUUID() },
    );
  const before = await running(fixture);
  const [old] = await imagesOn(fixture);
  await giveOtherImage(fixture);
  const after = await running(fixture);
  const both = await imagesOn(fixture);
  assert.equal(both.length, 2);
  assert.ok(both.includes(old!), 'the first disk stands on it');
  const disks = await fixture.database
    .selectFrom('volumes')
    .innerJoin('vm_template', 'vm_template.id', 'volumes.template_id')
    .where('volumes.instance_id', 'in', [before, after])
    .select(['instance_id', 'superseded_by', 'vm_template.id'])
    .orderBy('instance_id')
    .execute();
  assert.deepEqual(
    disks.map(({ superseded_by, id }) => superseded_by ?? id),
    [fixture.templateId, fixture.templateId],
  );
  assert.notEqual(disks[0]!.id, disks[1]!.id);

  await clean();
  assert.equal((await imagesOn(fixture)).length, 2, 'a disk is on each');
  await fixture.run('stopVirtualMachine', { vmId: before, forced: true });
  const restarted = await fixture.run('startVirtualMachine', { vmId: before });
  assert.equal(restarted.job_status, 1, JSON.stringify(restarted.job_result));

  const reinstalled = await fixture.run('restoreVirtualMachine', { vmId: before });
  assert.equal(reinstalled.job_status, 1, JSON.stringify(reinstalled.job_result));
  await clean();
  const [left, ...others] = await imagesOn(fixture);
  assert.deepEqual(others, [], 'nothing stands on the image before any more');
  assert.notEqual(left, old);
});

test('a disk that was grown stays as large when it is reinstalled from the new image', async (t) => {
  const fixture = await startWorkflows(t);
  const vmId = await running(fixture);
  const size = 5 * 1024 ** 3;
  await fixture.database.updateTable('volumes').set({ size }).where('instance_id', '=', vmId).execute();
  await giveOtherImage(fixture);
  const job = await fixture.run('restoreVirtualMachine', { vmId });
  assert.equal(job.job_status, 1, JSON.stringify(job.job_result));
  const disk = await fixture.database
    .selectFrom('volumes')
    .select('size')
    .where('instance_id', '=', vmId)
    .where('removed', 'is', null)
    .executeTakeFirstOrThrow();
  assert.equal(disk.size, size);
});
