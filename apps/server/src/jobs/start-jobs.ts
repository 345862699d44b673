import { randomUUID } from 'node:crypto';
import { describeError, type Logger } from '@millrace/core';
import { fromKysely } from 'pg-boss';
import { Detached } from '../domain/failure-policy.ts';
import { insertJob, pendingJobs } from '../store/async-jobs.ts';
import { isPassing } from '../store/connection-loss.ts';
import type { Database } from '../store/database.ts';
import { type Carrier, queueOf, startCarrier } from './carrier.ts';
import { type JobDefinitions, makeJobRunner } from './job-runner.ts';
import type { JobQueue } from './queue.ts';

export interface JobsOptions {
  readonly database: Database;
  readonly databaseUrl: string;
  readonly definitions: JobDefinitions;
  /** This server's lasting name: jobs left under it by an earlier process are known to be orphans. */
  readonly server: string;
  readonly log: Logger;
  /** Jobs that may wait for a transfer and run at the same time. Default 20. */
  readonly concurrency?: number;
}

export interface Jobs extends JobQueue {
  /** Gives running jobs back without ending them, waiting at most `timeoutMs` for their workers. */
  stop(timeoutMs: number): Promise<void>;
}

/** A pending job this old that the carrier does not know has been forgotten by it. */
const orphanAgeMs = 60_000;
const orphanCheckMs = 60_000;

/** Starts the carrier and its workers. @throws when the database cannot be reached */
export async function startJobs(options: JobsOptions): Promise<Jobs> {
  const { database, log, server } = options;
  const stopping = new AbortController();
  const carrier = await startCarrier({
    databaseUrl: options.databaseUrl,
    concurrency: options.concurrency ?? 20,
    log,
  });
  const runJob = makeJobRunner({
    database,
    definitions: options.definitions,
    server,
    log,
    stopping: stopping.signal,
  });
  const own = (await pendingJobs(database)).filter((job) => job.executing_server === server);
  for (const job of own) await carrier.redispatch(job);
  if (own.length > 0) log.info({ jobs: own.length }, 'jobs of this server’s former process go on');
  await restoreForgotten(database, carrier, log);
  await carrier.work(runJob);
  const orphanTimer = setInterval(() => {
    restoreForgotten(database, carrier, log).catch((error: unknown) => {
      if (!isPassing(error))
        log.error({ error: describeError(error) }, 'forgotten jobs cannot be looked for');
    });
  }, orphanCheckMs);

  return {
    async enqueue(executor, request) {
      const uuid = randomUUID();
      await insertJob(executor, { ...request, uuid });
      await carrier.boss.send(queueOf(request.command), {}, { id: uuid, db: fromKysely(executor) });
      return uuid;
    },
    async stop(timeoutMs) {
      clearInterval(orphanTimer);
      stopping.abort(new Detached('SERVER_STOPPING', 'this server stops'));
      await carrier.stop(timeoutMs);
    },
  };
}

/** A job always ends: one that the carrier does not know any more is handed over anew. */
async function restoreForgotten(database: Database, carrier: Carrier, log: Logger): Promise<void> {
  const now = Date.now();
  for (const job of await pendingJobs(database)) {
    if (now - job.last_updated.getTime() < orphanAgeMs) continue;
    if (await carrier.restore(job)) log.warn({ job: job.uuid }, 'a forgotten job was handed over anew');
  }
}
