import { ApiError, specs } from '@millrace/api';
import { userOfCopy } from '../store/template-removal.ts';
import { pendingJobOf } from '../store/virtual-machines.ts';
import { implement } from './command.ts';
import { findCopy } from './find-copy.ts';
import { reachOf } from './scope.ts';

/** Begins to remove a template's copy from a pool. Whether anything uses the copy is asked here, and again by the job. */
export const evictTemplate = implement(specs.evictTemplate, async ({ params, database, jobs, caller }) => {
  const jobId = await database.transaction().execute(async (trx) => {
    const { template, place, key } = await findCopy(trx, params, reachOf(caller), 'storage_pool');
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
        `the copy of template ${template.name} on storage pool ${place.name} ${user}`,
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
