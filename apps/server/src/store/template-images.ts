import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { jobStatus } from './async-jobs.ts';
import type { Executor } from './database.ts';
import type { Row } from './schema.ts';

/**
 * Puts the image of a template aside, because the template gets another one: what stands on it (copies on pools, the
 * disks on them, ISOs in drives) goes to a row of its own that is removed already, so that copies go with the last disk.
 * The template keeps its row and all else. Must run in a transaction that holds the template's lock.
 */
export async function setImageAside(executor: Executor, template: Row<'vm_template'>): Promise<void> {
  const { id, image_uuid, uuid, created, ...same } = template;
  const { id: asideId } = await executor
    .insertInto('vm_template')
    .values({
      ...same,
      uuid: randomUUID(),
      unique_name: `${template.account_id}-${randomUUID()}`,
      image_uuid: image_uuid ?? uuid,
      superseded_by: id,
      state: 'Inactive',
      removed: new Date(),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  for (const table of ['template_spool_ref', 'template_content', 'volumes'] as const)
    await executor.updateTable(table).set({ template_id: asideId }).where('template_id', '=', id).execute();
  await executor.updateTable('vm_instance').set({ iso_id: asideId }).where('iso_id', '=', id).execute();
  await executor.updateTable('vm_template').set({ image_uuid: randomUUID() }).where('id', '=', id).execute();
}

/** Whether a disk that was made from `imageId` is one of this template, with whatever image it had then. */
export async function isImageOf(
  executor: Executor,
  imageId: number | null,
  templateId: number,
): Promise<boolean> {
  if (imageId === null || imageId === templateId) return imageId !== null;
  const image = await executor
    .selectFrom('vm_template')
    .select('superseded_by')
    .where('id', '=', imageId)
    .executeTakeFirst();
  return image?.superseded_by === templateId;
}

/**
 * A pending job that works with the image of a template. The instances are locked, so that none begins meanwhile: it
 * would find one image at its first step and another at the next.
 */
export async function pendingUseOfImage(
  executor: Executor,
  template: Pick<Row<'vm_template'>, 'id' | 'uuid'>,
): Promise<{ readonly uuid: string; readonly job_cmd: string } | undefined> {
  const instances = await executor
    .selectFrom('vm_instance')
    .select('uuid')
    .where((where) =>
      where.or([where('vm_template_id', '=', template.id), where('iso_id', '=', template.id)]),
    )
    .where('removed', 'is', null)
    .orderBy('id')
    .forUpdate()
    .execute();
  const { rows } = await sql<{ uuid: string; job_cmd: string }>`
    select uuid, job_cmd from async_job
    where job_status = ${jobStatus.pending} and (
      instance_uuid = ${template.uuid}
      or (instance_uuid = any(${instances.map(({ uuid }) => uuid)}::uuid[]) and job_cmd in
        ('deployVirtualMachine', 'startVirtualMachine', 'restoreVirtualMachine', 'attachIso', 'detachIso'))
      or job_cmd_info ->> 'templateId' = ${String(template.id)}
      or job_cmd_info ->> 'isoId' = ${String(template.id)})
    order by id limit 1
  `.execute(executor);
  return rows[0];
}

/** SHA-2 digests, `{ALGORITHM}hex`, of what was committed of a template. */
export async function contentDigestsOf(executor: Executor, templateId: number): Promise<string[]> {
  const rows = await executor
    .selectFrom('template_content')
    .select('digest')
    .where('template_id', '=', templateId)
    .execute();
  return rows.map(({ digest }) => digest);
}
