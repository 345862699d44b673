import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { Logger } from '@millrace/core';
import { silentLogger } from '@millrace/core';
import { isPassing } from '../../store/connection-loss.ts';
import type { Database } from '../../store/database.ts';
import type { Row } from '../../store/schema.ts';
import type { JobDefinition, JobDefinitions } from '../job-runner.ts';
import type { JobQueue, JobRequest } from '../queue.ts';
import { type Jobs, startJobs } from '../start-jobs.ts';

/** The least rows that a job refers to. */
export async function insertOwner(database: Database): Promise<{ userId: number; accountId: number }> {
  const domain = await database
    .insertInto('domain')
    .values({ uuid: randomUUID(), name: 'ROOT', path: 'ROOT' })
    .returning('id')
    .executeTakeFirstOrThrow();
  const account = await database
    .insertInto('account')
    .values({ uuid: randomUUID(), account_name: 'admin', type: 1, domain_id: domain.id })
    .returning('id')
    .executeTakeFirstOrThrow();
  const user = await database
    .insertInto('user')
    .values({ uuid: randomUUID(), username: 'admin', password: 'x', account_id: account.id })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { userId: user.id, accountId: account.id };
}

/** Definitions in which only one command does something. */
export function onlyStop(definition: JobDefinition<'stopVirtualMachine'>): JobDefinitions {
  return onlyThese({ stopVirtualMachine: definition });
}

/** A table in which all other commands fail. */
export function onlyThese(defined: Partial<JobDefinitions>): JobDefinitions {
  const unused = { run: async () => Promise.reject(new Error('this command is not part of the test')) };
  // whatever the names are, each has a definition
  return new Proxy(defined, {
    get: (target, name) => Reflect.get(target, name) ?? unused,
  }) as JobDefinitions;
}

export async function startTestJobs(
  t: TestContext,
  options: {
    readonly database: Database;
    readonly url: string;
    readonly definitions: JobDefinitions;
    readonly server?: string;
    readonly log?: Logger;
    readonly concurrency?: number;
  },
): Promise<Jobs> {
  const jobs = await startJobs({
    database: options.database,
    databaseUrl: options.url,
    definitions: options.definitions,
    server: options.server ?? 'test-server',
    log: options.log ?? silentLogger,
    concurrency: options.concurrency ?? 3,
  });
  let stopped: Promise<void> | undefined;
  const once: Jobs = {
    enqueue: jobs.enqueue,
    stop: (timeoutMs) => {
      stopped ??= jobs.stop(timeoutMs);
      return stopped;
    },
  };
  t.after(() => once.stop(1000));
  return once;
}

export function stopRequest(
  owner: { userId: number; accountId: number },
  vmId = 1,
): JobRequest<'stopVirtualMachine'> {
  return {
    command: 'stopVirtualMachine',
    parameters: { vmId, forced: false },
    ...owner,
    instanceType: 'VirtualMachine',
    instanceUuid: randomUUID(),
  };
}

export function enqueueStop(
  jobs: JobQueue,
  database: Database,
  owner: { userId: number; accountId: number },
  vmId = 1,
): Promise<string> {
  return database.transaction().execute((trx) => jobs.enqueue(trx, stopRequest(owner, vmId)));
}

/** Polls until `probe` answers. @throws after `timeoutMs`, saying what was waited for */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export async function jobEnded(
  database: Database,
  uuid: string,
  timeoutMs = 60_000,
): Promise<Row<'async_job'>> {
  return until(
    `the end of job ${uuid}`,
    async () => {
      const row = await database
        .selectFrom('async_job')
        .selectAll()
        .where('uuid', '=', uuid)
        .executeTakeFirst()
        // tests that take the database away must not be hit by it themselves
        .catch((error: unknown) => {
          if (!isPassing(error)) throw error;
          return undefined;
        });
      return row && row.job_status !== 0 ? row : undefined;
    },
    timeoutMs,
  );
}
