import { ApiError } from '@millrace/api';
import { describeError, type Logger } from '@millrace/core';
import { Detached } from '../domain/failure-policy.ts';
import {
  endJob,
  type JobEnd,
  type JobLease,
  pickUpJob,
  releaseJob,
  writeJobProgress,
} from '../store/async-jobs.ts';
import { withPatience } from '../store/connection-loss.ts';
import type { Database } from '../store/database.ts';
import type { Row } from '../store/schema.ts';
import type { CarriedJob } from './carrier.ts';
import { type JobContext, makeFencedAccess } from './job-context.ts';
import { makeProgressReporter } from './progress.ts';
import type { JobCommand, JobProgress } from './queue.ts';

/** What a command's job does. */
export interface JobDefinition<C extends JobCommand = JobCommand> {
  /** @returns the job's answer. @throws ApiError for an answer in the caller's words; anything else is a 530 */
  readonly run: (context: JobContext<C>) => Promise<object>;
  /**
   * Leaves the entities of a job that cannot go on in a state that users can act on: an error that `run` did not
   * expect, or too many dead workers. Must be safe to repeat.
   */
  readonly giveUp?: (context: JobContext<C>, reason: string) => Promise<void>;
}

export type JobDefinitions = { readonly [C in JobCommand]: JobDefinition<C> };

/** So often may a worker die with a job before the job itself is taken for the cause. */
const maxPickUps = 10;

export interface JobRunnerOptions {
  readonly database: Database;
  readonly definitions: JobDefinitions;
  /** This server's lasting name. */
  readonly server: string;
  readonly log: Logger;
  /** Aborts when this server stops: jobs are then given back, not ended. */
  readonly stopping: AbortSignal;
}

/**
 * Makes the carrier's handler. It returns when the job has ended or is no longer this worker's, and throws when the
 * job must be handed out again.
 */
export function makeJobRunner(options: JobRunnerOptions): (carried: CarriedJob) => Promise<void> {
  const { database, server, stopping } = options;
  return async (carried) => {
    stopping.throwIfAborted();
    const row = await pickUpJob(database, carried.uuid, server);
    if (!row) return;
    const lease: JobLease = { jobId: row.id, jobUuid: row.uuid, attempts: row.attempts, server };
    const log = options.log.child({ job: row.uuid, command: row.job_cmd });
    log.info({ attempt: row.attempts }, 'job begins');
    const controller = new AbortController();
    const loseLease = () => {
      if (!controller.signal.aborted)
        controller.abort(new Detached('LEASE_LOST', `job ${row.uuid} is run by another worker`));
    };
    const stop = () => controller.abort(stopping.reason);
    carried.signal.addEventListener('abort', loseLease, { once: true });
    stopping.addEventListener('abort', stop, { once: true });
    try {
      await runToItsEnd(options, row, lease, { controller, loseLease, log });
    } catch (error) {
      if (!(error instanceof Detached) || error.code !== 'SERVER_STOPPING') throw error;
      await releaseJob(database, lease).catch((cause: unknown) =>
        log.warn({ error: describeError(cause) }, 'the job could not be given back; it will be taken over'),
      );
      throw error;
    } finally {
      carried.signal.removeEventListener('abort', loseLease);
      stopping.removeEventListener('abort', stop);
    }
  };
}

async function runToItsEnd(
  options: JobRunnerOptions,
  row: Row<'async_job'>,
  lease: JobLease,
  held: { readonly controller: AbortController; readonly loseLease: () => void; readonly log: Logger },
): Promise<void> {
  const { database } = options;
  const { controller, loseLease, log } = held;
  const { signal } = controller;
  const command = row.job_cmd as JobCommand;
  // job_cmd_info was written by enqueue, from JobParameters of this very command
  const definition = options.definitions[command] as JobDefinition | undefined;
  const progress = makeProgressReporter({
    initial: progressOf(row.job_progress),
    write: async (value) => {
      if (!(await writeJobProgress(database, lease, value))) loseLease();
    },
    now: () => performance.now(),
  });
  const context: JobContext = {
    job: {
      id: row.id,
      uuid: row.uuid,
      command,
      userId: row.user_id,
      accountId: row.account_id,
      attempts: row.attempts,
    },
    parameters: row.job_cmd_info as JobContext['parameters'],
    signal,
    log,
    progress,
    ...makeFencedAccess({ database, lease, signal, log, loseLease }),
  };
  let end: JobEnd;
  try {
    end = await outcomeOf(definition, context);
  } finally {
    await progress.flush();
  }
  // the answer is written in the end, come what may; only the loss of the job itself lets go of it
  const ours = await withPatience(() => endJob(database, lease, end), { signal });
  if (!ours) throw new Detached('LEASE_LOST', `job ${row.uuid} is run by another worker`);
  log.info({ status: end.status, code: end.code }, 'job ended');
}

async function outcomeOf(definition: JobDefinition | undefined, context: JobContext): Promise<JobEnd> {
  if (!definition)
    return failure(
      new ApiError('INTERNAL_ERROR', `this server does not know the job ${context.job.command}`),
    );
  if (context.job.attempts > maxPickUps) {
    const reason = `given up: ${maxPickUps} servers in a row ended while they ran this job`;
    await giveUp(definition, context, reason);
    return failure(new ApiError('INTERNAL_ERROR', reason));
  }
  try {
    return { status: 1, code: 0, result: await definition.run(context) };
  } catch (error) {
    if (error instanceof Detached) throw error;
    context.signal.throwIfAborted();
    if (error instanceof ApiError) {
      return failure(error);
    }
    context.log.error(
      { error: describeError(error), stack: error instanceof Error ? error.stack : undefined },
      'the job failed unexpectedly',
    );
    // the error itself may quote rows or parameters: it is for the log alone
    const reason = `the server failed unexpectedly; the reason is in its log under job ${context.job.uuid}`;
    await giveUp(definition, context, reason);
    return failure(new ApiError('INTERNAL_ERROR', reason));
  }
}

async function giveUp(definition: JobDefinition, context: JobContext, reason: string): Promise<void> {
  try {
    await definition.giveUp?.(context, reason);
  } catch (error) {
    if (error instanceof Detached) throw error;
    context.signal.throwIfAborted();
    context.log.error({ error: describeError(error) }, 'what the failed job left could not be put in order');
  }
}

/** The kept answer of a failed job. `usertext` is told instead of `errortext` to whoever is no root admin. */
function failure({ errorcode, cserrorcode, message, userText }: ApiError): JobEnd {
  return {
    status: 2,
    code: errorcode,
    result: {
      errorcode,
      cserrorcode,
      errortext: message,
      ...(userText === message ? {} : { usertext: userText }),
    },
  };
}

/** What an earlier worker had reported. A row that is not understood only costs the continuity of the percent. */
function progressOf(value: unknown): Pick<JobProgress, 'percent' | 'phasems'> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { percent, phasems } = value as Record<string, unknown>;
  return {
    percent: typeof percent === 'number' ? percent : 0,
    phasems:
      typeof phasems === 'object' && phasems !== null
        ? Object.fromEntries(Object.entries(phasems).filter(([, ms]) => typeof ms === 'number'))
        : {},
  };
}
