import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobAnswer } from '../e2e/instance.ts';
import { mirrors, type World } from './world.ts';

/**
 * The first of two mirrors failed: the instance runs all the same, its image is whole, and the job's answer says which
 * mirror failed, why, and that the other one served.
 */
export async function assertMirrorBlamed(world: World, job: JobAnswer): Promise<void> {
  const tries = job.jobattempts?.flatMap(({ sources }) => sources) ?? [];
  const of = (mirror: string) => tries.filter(({ url }) => url.includes(mirror));
  const failed = of(mirrors.first).filter(({ reason }) => (reason ?? '') !== '');
  assert.ok(failed.length > 0, `the mirror's failure is told: ${JSON.stringify(tries)}`);
  const served = of(mirrors.second).reduce((bytes, source) => bytes + source.bytes, 0);
  assert.ok(served > 0, `the other mirror served: ${JSON.stringify(tries)}`);
  const vm = job.jobresult?.['virtualmachine'] as { id: string; templateid: string };
  const row = await world.cloud.instance1(vm.id);
  assert.equal(row['state'], 'Running');
  const copy = await world.database
    .selectFrom('template_spool_ref')
    .innerJoin('vm_template', 'vm_template.id', 'template_spool_ref.template_id')
    .select('install_path')
    .where('vm_template.uuid', '=', vm.templateid)
    .executeTakeFirstOrThrow();
  const bytes = await readFile(join(world.cloud.shared, String(copy.install_path)));
  assert.ok(bytes.equals(world.cloud.image), 'the image is whole');
}
