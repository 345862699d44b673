import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { removeTemplateFromZone } from '../store/templates.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { loadTemplateRow } from './records.ts';
import { removeUnneededCopies } from './template-copies.ts';

/**
 * Takes a template out of the catalogue, or out of one of its zones, and removes, at once, every copy there that no disk
 * needs. Copies below running disks go with the last of these.
 */
export function deleteTemplate(deps: WorkflowDeps): JobDefinition<'deleteTemplate'> {
  return { run: (context) => removeImage(deps, context, 'template') };
}

/** The same of an ISO. */
export function deleteIso(deps: WorkflowDeps): JobDefinition<'deleteIso'> {
  return { run: (context) => removeImage(deps, context, 'ISO') };
}

async function removeImage(
  deps: WorkflowDeps,
  context: JobContext<'deleteTemplate' | 'deleteIso'>,
  kind: 'template' | 'ISO',
): Promise<object> {
  const { templateId, zoneId } = context.parameters;
  const template = await context.read((database) => loadTemplateRow(database, templateId));
  context.progress.report({ phase: 'deleting', percent: 10 });
  await context.write(async (trx) => {
    const gone =
      zoneId === undefined
        ? await removeFromCatalogue(trx, template)
        : await removeTemplateFromZone(trx, templateId, zoneId);
    if (!gone) return;
    const where = zoneId === undefined ? '' : ` from zone ${await zoneName(trx, zoneId)}`;
    await recordEvent(trx, {
      type: kind === 'ISO' ? 'ISO.DELETE' : 'TEMPLATE.DELETE',
      description: `Successfully deleted ${kind} ${template.name}${where}`,
      userId: context.job.userId,
      accountId: template.account_id,
      resourceType: kind === 'ISO' ? 'Iso' : 'Template',
      resourceUuid: template.uuid,
      jobUuid: context.job.uuid,
    });
  });
  await context.read((database) =>
    removeUnneededCopies(
      { agents: deps.agents, database, log: context.log, signal: context.signal },
      { templateId, operation: context.job.uuid },
    ),
  );
  return { success: true };
}

/** @returns false when a run before has done it */
async function removeFromCatalogue(trx: Executor, template: Row<'vm_template'>): Promise<boolean> {
  if (template.removed) return false;
  const removed = new Date();
  await trx
    .updateTable('vm_template')
    .set({ removed, state: 'Inactive' })
    .where('id', '=', template.id)
    .execute();
  await trx
    .updateTable('template_zone_ref')
    .set({ removed })
    .where('template_id', '=', template.id)
    .execute();
  return true;
}

async function zoneName(executor: Executor, zoneId: number): Promise<string> {
  const { name } = await executor
    .selectFrom('data_center')
    .select('name')
    .where('id', '=', zoneId)
    .executeTakeFirstOrThrow();
  return name;
}
