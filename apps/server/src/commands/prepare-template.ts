import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { everything } from '../store/paging.ts';
import { listTemplateRows, lockTemplate } from '../store/templates.ts';
import { pendingJobOf } from '../store/virtual-machines.ts';
import { findZone } from '../store/zone-list.ts';
import { implement } from './command.ts';
import { templateEntities } from './responses/template.ts';
import { reachOf } from './scope.ts';

/**
 * Begins to bring a template to the pools of a zone, or to one of them. CloudStack answers at once with the template and
 * tells nothing more; here the answer has the job's ID too.
 */
export const prepareTemplate = implement(specs.prepareTemplate, async (context) => {
  const { params, database, jobs, caller } = context;
  const { templateId, jobId } = await database.transaction().execute(async (trx) => {
    const template = await lockTemplate(trx, params.templateid, reachOf(caller));
    if (!template) throw entityNotFound('templateid', params.templateid);
    const zone = await findZone(trx, params.zoneid);
    if (!zone) throw entityNotFound('zoneid', params.zoneid);
    const inZone = await trx
      .selectFrom('template_zone_ref')
      .select('template_id')
      .where('template_id', '=', template.id)
      .where('zone_id', '=', zone.id)
      .where('removed', 'is', null)
      .executeTakeFirst();
    if (!inZone && !template.cross_zones) {
      throw invalidParameter('zoneid', `template ${template.name} is not in zone ${zone.name}`);
    }
    const job = await pendingJobOf(trx, template.uuid);
    if (job) {
      throw new ApiError(
        'RESOURCE_IN_USE_ERROR',
        `template ${template.name} is busy: ${job.job_cmd} is running as job ${job.uuid}`,
      );
    }
    const poolIds = await poolsOf(trx, zone, params.storageid);
    const id = await jobs.enqueue(trx, {
      command: 'prepareTemplate',
      parameters: { templateId: template.id, poolIds },
      userId: caller.userId,
      accountId: template.account_id,
      instanceType: 'Template',
      instanceUuid: template.uuid,
    });
    return { templateId: template.id, jobId: id };
  });
  const filter = { selection: { kind: 'everything' }, templateIds: [templateId], unique: true } as const;
  const { rows } = await listTemplateRows(database, filter, everything);
  const viewer = { isAdmin: caller.role === 'admin', accountId: caller.accountId };
  const entities = await templateEntities(database, rows, viewer);
  return {
    list: entities.map((entity) => ({ ...entity, jobid: jobId, jobstatus: 0 })),
    count: entities.length,
  };
});

async function poolsOf(
  executor: Executor,
  zone: { readonly id: number; readonly name: string },
  storageId: string | undefined,
): Promise<number[]> {
  const rows = await executor
    .selectFrom('storage_pool')
    .where('data_center_id', '=', zone.id)
    .where('removed', 'is', null)
    .$if(storageId !== undefined, (query) => query.where('uuid', '=', storageId!))
    .select(['id', 'status', 'name'])
    .execute();
  if (storageId !== undefined && rows.length === 0) throw entityNotFound('storageid', storageId);
  const up = rows.filter(({ status }) => status === 'Up');
  if (up.length > 0) return up.map(({ id }) => id);
  const [only] = rows;
  throw storageId !== undefined && only
    ? invalidParameter('storageid', `storage pool ${only.name} is ${only.status}`)
    : invalidParameter('zoneid', `zone ${zone.name} has no storage pool that is Up`);
}
