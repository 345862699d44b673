import type { Logger } from '@millrace/core';
import type { Transaction } from 'kysely';
import { Detached } from '../domain/failure-policy.ts';
import { holdsLease, type JobLease } from '../store/async-jobs.ts';
import { withPatience } from '../store/connection-loss.ts';
import type { Database } from '../store/database.ts';
import type { Tables } from '../store/schema.ts';
import type { ProgressReporter } from './progress.ts';
import type { JobCommand, JobParameters } from './queue.ts';

/** The job as its workflow sees it. */
export interface RunningJob {
  readonly id: number;
  readonly uuid: string;
  readonly command: JobCommand;
  readonly userId: number;
  readonly accountId: number;
  /** Counts pick-ups, from 1. More than 1: an earlier worker did not come to the end. */
  readonly attempts: number;
}

export interface JobContext<C extends JobCommand = JobCommand> {
  readonly job: RunningJob;
  readonly parameters: JobParameters[C];
  /** Aborts with a `Detached` when this worker must let go of the job. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly progress: ProgressReporter;
  /**
   * Runs a transaction that commits only while this worker holds the job; waits while the database is away. `work` may
   * run again after a broken connection, also when the first run was committed: it must be safe to repeat.
   * @throws Detached `LEASE_LOST` when another worker has the job
   */
  write<T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T>;
  /** Reads; waits while the database is away. */
  read<T>(work: (database: Database) => Promise<T>): Promise<T>;
}

/** Makes the two ways in which a workflow touches the database. */
export function makeFencedAccess(options: {
  readonly database: Database;
  readonly lease: JobLease;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly loseLease: () => void;
}): Pick<JobContext, 'write' | 'read'> {
  const { database, lease, signal, log } = options;
  const onRetry = (error: unknown, delayMs: number) =>
    log.warn({ error: String(error), delayMs }, 'the database is away; the job waits for it');
  return {
    write: (work) =>
      withPatience(
        () =>
          database.transaction().execute(async (trx) => {
            if (!(await holdsLease(trx, lease))) {
              options.loseLease();
              throw new Detached('LEASE_LOST', `job ${lease.jobUuid} is run by another worker`);
            }
            return work(trx);
          }),
        { signal, onRetry },
      ),
    read: (work) => withPatience(() => work(database), { signal, onRetry }),
  };
}
