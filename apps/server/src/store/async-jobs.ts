import { sql } from 'kysely';
import type { Database, Executor } from './database.ts';
import type { Row } from './schema.ts';

/** CloudStack's `jobstatus`. */
export const jobStatus = { pending: 0, succeeded: 1, failed: 2, cancelled: 3 } as const;

/**
 * A worker's hold on a job. `attempts` grows with every pick-up, so a worker that lost the job (a pause, a partition)
 * no longer matches and can write nothing.
 */
export interface JobLease {
  readonly jobId: number;
  readonly jobUuid: string;
  readonly attempts: number;
  readonly server: string;
}

export interface NewJob {
  readonly uuid: string;
  readonly command: string;
  readonly parameters: object;
  readonly userId: number;
  readonly accountId: number;
  readonly instanceType: string;
  readonly instanceUuid: string;
}

export async function insertJob(executor: Executor, job: NewJob): Promise<void> {
  await executor
    .insertInto('async_job')
    .values({
      uuid: job.uuid,
      user_id: job.userId,
      account_id: job.accountId,
      job_cmd: job.command,
      job_cmd_info: JSON.stringify(job.parameters),
      instance_type: job.instanceType,
      instance_uuid: job.instanceUuid,
    })
    .execute();
}

/** Takes a pending job, whoever had it before. @returns undefined when there is nothing left to do */
export async function pickUpJob(
  database: Database,
  jobUuid: string,
  server: string,
): Promise<Row<'async_job'> | undefined> {
  return database
    .updateTable('async_job')
    .set({ attempts: sql<number>`attempts + 1`, executing_server: server, last_updated: new Date() })
    .where('uuid', '=', jobUuid)
    .where('job_status', '=', jobStatus.pending)
    .returningAll()
    .executeTakeFirst();
}

/** Gives a job back: this pick-up ended in order and does not count against the job. */
export async function releaseJob(database: Database, lease: JobLease): Promise<void> {
  await database
    .updateTable('async_job')
    .set({ attempts: sql<number>`attempts - 1`, executing_server: null })
    .where('id', '=', lease.jobId)
    .where('attempts', '=', lease.attempts)
    .where('executing_server', '=', lease.server)
    .where('job_status', '=', jobStatus.pending)
    .execute();
}

/** Whether the lease still holds; when it does, nobody can take the job before the transaction ends. */
export async function holdsLease(executor: Executor, lease: JobLease): Promise<boolean> {
  const row = await executor
    .selectFrom('async_job')
    .select('id')
    .where('id', '=', lease.jobId)
    .where('attempts', '=', lease.attempts)
    .where('executing_server', '=', lease.server)
    .where('job_status', '=', jobStatus.pending)
    .forShare()
    .executeTakeFirst();
  return row !== undefined;
}

/** @returns false when the lease is lost */
export async function writeJobProgress(
  database: Database,
  lease: JobLease,
  progress: object,
): Promise<boolean> {
  const result = await database
    .updateTable('async_job')
    .set({ job_progress: JSON.stringify(progress), last_updated: new Date() })
    .where('id', '=', lease.jobId)
    .where('attempts', '=', lease.attempts)
    .where('executing_server', '=', lease.server)
    .where('job_status', '=', jobStatus.pending)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

export interface JobEnd {
  readonly status: 1 | 2 | 3;
  /** 0, or the API's error code. */
  readonly code: number;
  readonly result: object;
}

/**
 * Ends a job and keeps its answer. Repeating it after a lost connection changes nothing.
 * @returns false when another worker has the job
 */
export async function endJob(executor: Executor, lease: JobLease, end: JobEnd): Promise<boolean> {
  const updated = await executor
    .updateTable('async_job')
    .set({
      job_status: end.status,
      job_result_code: end.code,
      job_result: JSON.stringify(end.result),
      completed: new Date(),
      last_updated: new Date(),
    })
    .where('id', '=', lease.jobId)
    .where('attempts', '=', lease.attempts)
    .where('executing_server', '=', lease.server)
    .where('job_status', '=', jobStatus.pending)
    .executeTakeFirst();
  if (updated.numUpdatedRows > 0n) return true;
  const row = await executor
    .selectFrom('async_job')
    .select(['attempts', 'executing_server', 'job_status'])
    .where('id', '=', lease.jobId)
    .executeTakeFirst();
  return (
    row?.attempts === lease.attempts &&
    row.executing_server === lease.server &&
    row.job_status !== jobStatus.pending
  );
}

/** Jobs that no answer exists for yet, oldest first. */
export async function pendingJobs(
  database: Database,
): Promise<{ uuid: string; job_cmd: string; executing_server: string | null; last_updated: Date }[]> {
  return database
    .selectFrom('async_job')
    .select(['uuid', 'job_cmd', 'executing_server', 'last_updated'])
    .where('job_status', '=', jobStatus.pending)
    .orderBy('id')
    .execute();
}

/** Whether a job is pending for this entity: whoever reports or cleans up stays out of its way. */
export async function hasPendingJob(executor: Executor, instanceUuid: string): Promise<boolean> {
  const row = await executor
    .selectFrom('async_job')
    .select('id')
    .where('instance_uuid', '=', instanceUuid)
    .where('job_status', '=', jobStatus.pending)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Rows that one statement deletes: a table that was let grow must not be locked for long. */
const deletedAtOnce = 5000;

/** Deletes jobs that ended more than `ageMs` ago, with their steps and attempts. @returns how many */
export async function deleteEndedJobs(executor: Executor, ageMs: number): Promise<number> {
  const result = await executor
    .deleteFrom('async_job')
    .where('id', 'in', (query) =>
      query
        .selectFrom('async_job')
        .select('id')
        .where('job_status', '!=', jobStatus.pending)
        .where('completed', '<', new Date(Date.now() - ageMs))
        .limit(deletedAtOnce),
    )
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
