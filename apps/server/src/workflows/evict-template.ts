import { ApiError } from '@millrace/api';
import type { JobDefinition } from '../jobs/job-runner.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { copiesQuery, removeCopy } from './template-copies.ts';
import { hostFailure } from './vm-job.ts';

/** Removes the copy of a template from one pool, now, if nothing uses it. The template stays, and can be fetched again. */
export function evictTemplate(deps: WorkflowDeps): JobDefinition<'evictTemplate'> {
  return {
    async run(context) {
      const { templateId, poolId } = context.parameters;
      context.progress.report({ phase: 'deleting', percent: 10 });
      return context.read(async (database) => {
        const copy = await copiesQuery(database)
          .where('template_id', '=', templateId)
          .where('pool_id', '=', poolId)
          .executeTakeFirst();
        // the worker before this one was done with it
        if (!copy) return { success: true };
        const what = `the copy of template ${copy.templateName} on storage pool ${copy.poolName}`;
        const copyDeps = { agents: deps.agents, database, log: context.log, signal: context.signal };
        const stays = await removeCopy(copyDeps, copy, {
          operation: context.job.uuid,
          reason: 'evictTemplate was called',
          userId: context.job.userId,
          accountId: context.job.accountId,
          jobUuid: context.job.uuid,
        }).catch((error: unknown) => {
          throw context.signal.aborted ? error : hostFailure(`removing ${what}`, error);
        });
        if (stays === undefined || stays === 'is gone already') return { success: true };
        throw new ApiError('RESOURCE_IN_USE_ERROR', `${what} ${stays}`);
      });
    },
  };
}
