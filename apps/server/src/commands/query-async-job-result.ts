import { entityNotFound, specs } from '@millrace/api';
import { attemptsOf, listJobRows } from '../store/job-list.ts';
import { everything } from '../store/paging.ts';
import { implement } from './command.ts';
import { asyncJobEntity, attemptEntity } from './responses/async-job.ts';
import { reachOf } from './scope.ts';

export const queryAsyncJobResult = implement(
  specs.queryAsyncJobResult,
  async ({ params, database, caller }) => {
    const filter = { scope: reachOf(caller), uuid: params.jobid };
    const [job] = (await listJobRows(database, filter, everything)).rows;
    if (!job) throw entityNotFound('jobid', params.jobid);
    const forAdmin = caller.role === 'admin';
    const attempts = await attemptsOf(database, job.id);
    return {
      object: {
        ...asyncJobEntity(job, caller),
        ...(attempts.length === 0
          ? {}
          : { jobattempts: attempts.map((attempt) => attemptEntity(attempt, forAdmin)) }),
      },
    };
  },
);
