import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import { userOfCopy } from '../store/template-removal.ts';
import { lockTemplate } from '../store/templates.ts';
import { pendingJobOf } from '../store/virtual-machines.ts';
import { implement } from './command.ts';
import { reachOf } from './scope.ts';

/** Begins to remove a template's copy from a pool. Whether anything uses the copy is asked here, and again by the job. */
export const evictTemplate = implement(specs.evictTemplate, async ({ params, database, jobs, caller }) => {
  const jobId = await database.transaction().execute(async (trx) => {
    const template = await lockTemplate(trx, params.templateid, reachOf(caller));
    if (!template) throw entityNotFound('templateid', params.templateid);
    const pool = await trx
      .selectFrom('storage_pool')
      .select(['id', 'name'])
      .where('uuid', '=', params.storageid)
      .where('removed', 'is', null)
      .executeTakeFirst();
    if (!pool) throw entityNotFound('storageid', params.storageid);
    const key = { poolId: pool.id, templateId: template.id };
    const copy = await trx
      .selectFrom('template_spool_ref')
      .select('id')
      .where('pool_id', '=', key.poolId)
      .where('template_id', '=', key.templateId)
      .executeTakeFirst();
    if (!copy)
      throw invalidParameter(
        'storageid',
        `storage pool ${pool.name} has no copy of template ${template.name}`,
      );
    const job = await pendingJobOf(trx, template.uuid);
    if (job) {
      throw new ApiError(
        'RESOURCE_IN_USE_ERROR',
        `template ${template.name} is busy: ${job.job_cmd} is running as job ${job.uuid}`,
      );
    }
    const user = await userOfCopy(trx, key);
    if (user !== undefined) {
      throw new ApiError(
        'RESOURCE_IN_USE_ERROR',
        `the copy of template ${template.name} on storage pool ${pool.name} ${user}`,
      );
    }
    return jobs.enqueue(trx, {
      command: 'evictTemplate',
      parameters: key,
      userId: caller.userId,
      accountId: caller.accountId,
      instanceType: 'Template',
      instanceUuid: template.uuid,
    });
  });
  return { jobId };
});
