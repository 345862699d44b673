import { ApiError, entityNotFound, specs } from '@millrace/api';
import { recordEvent } from '../store/events.ts';
import { countUsersOfTemplate, lockTemplate } from '../store/templates.ts';
import { pendingJobOf } from '../store/virtual-machines.ts';
import { implement } from './command.ts';
import { reachOf } from './scope.ts';

export const deleteTemplate = implement(specs.deleteTemplate, async ({ params, database, jobs, caller }) => {
  const forced = params.forced ?? false;
  const jobId = await database.transaction().execute(async (trx) => {
    const template = await lockTemplate(trx, params.id, reachOf(caller));
    if (!template) throw entityNotFound('id', params.id);
    const job = await pendingJobOf(trx, template.uuid);
    if (job) {
      throw new ApiError(
        'RESOURCE_IN_USE_ERROR',
        `template ${template.name} is busy: ${job.job_cmd} is running as job ${job.uuid}`,
      );
    }
    const users = forced ? 0 : await countUsersOfTemplate(trx, template.id);
    if (users > 0) {
      throw new ApiError(
        'PARAM_ERROR',
        `template ${template.name} is used by ${users} instance(s); expunge them first, or delete it with forced=true`,
      );
    }
    const id = await jobs.enqueue(trx, {
      command: 'deleteTemplate',
      parameters: { templateId: template.id, forced },
      userId: caller.userId,
      accountId: template.account_id,
      instanceType: 'Template',
      instanceUuid: template.uuid,
    });
    await recordEvent(trx, {
      type: 'TEMPLATE.DELETE',
      state: 'Scheduled',
      description: `deleting template ${template.name}`,
      userId: caller.userId,
      accountId: template.account_id,
      resourceType: 'Template',
      resourceUuid: template.uuid,
      jobUuid: id,
    });
    return id;
  });
  return { jobId };
});
