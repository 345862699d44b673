import { specs } from '@millrace/api';
import { listJobRows } from '../store/job-list.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { asyncJobEntity } from './responses/async-job.ts';
import { listScope } from './scope.ts';

export const listAsyncJobs = implement(specs.listAsyncJobs, async ({ params, database, caller }) => {
  const filter = {
    scope: await listScope(database, caller, params, false),
    keyword: params.keyword,
    from: params.startdate,
    resourceUuid: params.resourceid,
    resourceType: params.resourcetype,
    status: params.jobstatus,
  };
  const { rows, count } = await listJobRows(database, filter, await pageFrom(database, params));
  return { list: rows.map((row) => asyncJobEntity(row, caller)), count };
});
