import type { Executor } from './database.ts';
import { containing, type OwnerScope, ownedBy } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

export interface JobFilter {
  readonly scope: OwnerScope;
  readonly uuid?: string | undefined;
  readonly keyword?: string | undefined;
  readonly from?: Date | undefined;
  readonly resourceUuid?: string | undefined;
  readonly resourceType?: string | undefined;
  readonly status?: number | undefined;
}

export async function listJobRows(executor: Executor, filter: JobFilter, page: Page) {
  let query = executor
    .selectFrom('async_job')
    .innerJoin('account', 'account.id', 'async_job.account_id')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .innerJoin('user', 'user.id', 'async_job.user_id')
    .where(ownedBy(filter.scope));
  if (filter.uuid !== undefined) query = query.where('async_job.uuid', '=', filter.uuid);
  if (filter.keyword !== undefined)
    query = query.where('async_job.job_cmd', 'ilike', containing(filter.keyword));
  if (filter.from !== undefined) query = query.where('async_job.created', '>=', filter.from);
  if (filter.resourceUuid !== undefined)
    query = query.where('async_job.instance_uuid', '=', filter.resourceUuid);
  if (filter.resourceType !== undefined)
    query = query.where('async_job.instance_type', 'ilike', filter.resourceType);
  if (filter.status !== undefined) query = query.where('async_job.job_status', '=', filter.status);
  const selected = query
    .selectAll('async_job')
    .select([
      'account.uuid as account_uuid',
      'account.account_name',
      'domain.uuid as domain_uuid',
      'domain.path as domain_path',
      'user.uuid as user_uuid',
    ])
    .orderBy('async_job.id', 'desc');
  return pageOf(selected, page);
}

export type JobRow = Awaited<ReturnType<typeof listJobRows>>['rows'][number];

/** Every attempt of a job at a host, in order. */
export async function attemptsOf(executor: Executor, jobId: number) {
  return executor
    .selectFrom('deployment_attempt')
    .leftJoin('host', 'host.id', 'deployment_attempt.host_id')
    .leftJoin('data_store', 'data_store.id', 'deployment_attempt.pool_id')
    .where('deployment_attempt.job_id', '=', jobId)
    .selectAll('deployment_attempt')
    .select(['host.name as host_name', 'data_store.name as pool_name'])
    .orderBy('deployment_attempt.ordinal')
    .execute();
}

export type AttemptRow = Awaited<ReturnType<typeof attemptsOf>>[number];
