import type { Logger } from '@millrace/core';
import { type Job, PgBoss } from 'pg-boss';
import { isPassing } from '../store/connection-loss.ts';
import type { JobCommand } from './queue.ts';

/** What pg-boss does for Millrace: it hands each job to one worker, and to another one when that worker is dead. */
export interface Carrier {
  readonly boss: PgBoss;
  /** Takes jobs from now on. */
  work(handler: (job: CarriedJob) => Promise<void>): Promise<void>;
  /** Lets a job that a dead worker held be taken at once. */
  redispatch(job: PendingJob): Promise<void>;
  /** Hands over a job of which the carrier lost every trace. */
  restore(job: PendingJob): Promise<boolean>;
  /** Stops taking jobs and waits, at most `timeoutMs`, for handlers to return. */
  stop(timeoutMs: number): Promise<void>;
}

export interface PendingJob {
  readonly uuid: string;
  /** The API's command: it decides on the queue. */
  readonly job_cmd: string;
}

export interface CarriedJob {
  readonly uuid: string;
  /** Aborts when the carrier gave the job to another worker. */
  readonly signal: AbortSignal;
}

/**
 * Jobs that may wait for a transfer, for as long as its source likes, have workers of their own: however many of them
 * there are, instances can be stopped and destroyed.
 */
const queues = {
  transfers: { name: 'transfer-jobs', share: 1 },
  quick: { name: 'quick-jobs', share: 0.4 },
} as const;

/** They wait for transfers, or for other jobs. */
const mayTakeLong: ReadonlySet<string> = new Set([
  'deployVirtualMachine',
  'restoreVirtualMachine',
  'attachIso',
  'prepareTemplate',
  'prepareHostForMaintenance',
  'recoverLostHost',
] satisfies JobCommand[]);

export function queueOf(command: string): string {
  return (mayTakeLong.has(command) ? queues.transfers : queues.quick).name;
}

/**
 * A dead worker is noticed after this many seconds without a heartbeat. pg-boss allows no less than 10. Jobs of this
 * server's own former process do not wait for it: see `redispatch`.
 */
const heartbeatSeconds = 10;
/** Whether a job is picked up too often is decided from async_job, which also knows why: see job-runner.ts. */
const retryLimit = 1_000_000;
const pollSeconds = 2;
const quietMs = 10_000;

const queueOptions = {
  heartbeatSeconds,
  retryLimit,
  retryDelay: 0,
  expireInSeconds: 23 * 3600,
  // async_job keeps what clients ask for; the carrier's own record is of no use once a job has ended
  deleteAfterSeconds: 3600,
  retentionSeconds: 30 * 24 * 3600,
  notify: true,
};

export async function startCarrier(options: {
  readonly databaseUrl: string;
  /** Jobs that may wait for a transfer and run at the same time; of the others fewer are enough. */
  readonly concurrency: number;
  readonly log: Logger;
}): Promise<Carrier> {
  const { log } = options;
  const boss = new PgBoss({
    connectionString: options.databaseUrl,
    schema: 'pgboss',
    application_name: 'millrace-jobs',
    max: 4,
    schedule: false,
    supervise: true,
    superviseIntervalSeconds: 1,
    monitorIntervalSeconds: 1,
    useListenNotify: true,
    registerInstance: false,
    openTelemetry: { enabled: false },
  });
  boss.on('error', quietly(log));
  boss.on('warning', (warning) => log.warn({ data: warning.data }, warning.message));
  await boss.start();
  for (const { name } of Object.values(queues)) await boss.createQueue(name, queueOptions);

  return {
    boss,
    async work(handler) {
      for (const { name, share } of Object.values(queues))
        await boss.work<object>(
          name,
          {
            localConcurrency: Math.ceil(options.concurrency * share),
            batchSize: 1,
            pollingIntervalSeconds: pollSeconds,
            notifyPollingIntervalSeconds: pollSeconds,
            heartbeatRefreshSeconds: 3,
          },
          async (jobs: Job<object>[]) => {
            for (const job of jobs) await handler({ uuid: job.id, signal: job.signal });
          },
        );
    },
    async redispatch({ uuid, job_cmd }) {
      await boss.fail(queueOf(job_cmd), uuid);
    },
    async restore({ uuid, job_cmd }) {
      const queue = queueOf(job_cmd);
      const [found] = await boss.findJobs<object>(queue, { id: uuid });
      if (found && (found.state === 'created' || found.state === 'retry' || found.state === 'active'))
        return false;
      if (found) await boss.deleteJob(queue, uuid);
      await boss.send(queue, {}, { id: uuid });
      return true;
    },
    stop: (timeoutMs) => boss.stop({ graceful: true, timeout: timeoutMs, close: true }),
  };
}

/** Every worker reports a database that is away, every second or so: said once in a while it is enough. */
function quietly(log: Logger): (error: Error) => void {
  let lastSaid = Number.NEGATIVE_INFINITY;
  return (error) => {
    const fields = { error: error.message };
    const passing = isPassing(error);
    if (passing && performance.now() - lastSaid < quietMs) {
      log.debug(fields, 'the database is away');
      return;
    }
    if (passing) lastSaid = performance.now();
    log.warn(fields, passing ? 'the database is away; jobs wait for it' : 'the job carrier met an error');
  };
}
