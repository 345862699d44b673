import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ApiError } from '@millrace/api';
import { sleep, spawnProgram } from '@millrace/core';
import { withTestDatabase } from '../../../../test/postgres.ts';
import { Detached } from '../domain/failure-policy.ts';
import { runSteps } from './steps.ts';
import {
  enqueueStop,
  insertOwner,
  jobEnded,
  onlyStop,
  startTestJobs,
  stopRequest,
  until,
} from './testing/job-fixture.ts';

test('a job runs to its answer, which is kept with its progress', async (t) => {
  const { database, url } = await withTestDatabase(t);
  const owner = await insertOwner(database);
  const jobs = await startTestJobs(t, {
    database,
    url,
    definitions: onlyStop({
      run: async ({ parameters, progress }) => {
        progress.report({ phase: 'stopping', percent: 40 });
        progress.report({ phase: 'stopped', percent: 10 });
        return { vm: parameters.vmId };
      },
    }),
  });
  const row = await jobEnded(database, await enqueueStop(jobs, database, owner, 42));
  assert.equal(row.job_status, 1);
  assert.deepEqual(row.job_result, { vm: 42 });
  const progress = row.job_progress as { phase: string; percent: number };
  assert.equal(progress.phase, 'stopped');
  assert.equal(progress.percent, 40, 'percent never falls');
  assert.ok(row.completed);
});

test('a job enqueued in a transaction that is rolled back never runs', async (t) => {
  const { database, url } = await withTestDatabase(t);
  const owner = await insertOwner(database);
  const ran: number[] = [];
  const jobs = await startTestJobs(t, {
    database,
    url,
    definitions: onlyStop({
      run: async ({ parameters }) => {
        ran.push(parameters.vmId);
        return {};
      },
    }),
  });
  await assert.rejects(
    database.transaction().execute(async (trx) => {
      await jobs.enqueue(trx, stopRequest(owner, 1));
      throw new Error('changed my mind');
    }),
    /changed my mind/,
  );
  await jobEnded(database, await enqueueStop(jobs, database, owner, 2));
  assert.deepEqual(ran, [2]);
});

test('an error in the caller’s words keeps its code, any other becomes a 530 after giving up', async (t) => {
  const { database, url } = await withTestDatabase(t);
  const owner = await insertOwner(database);
  const given: string[] = [];
  const jobs = await startTestJobs(t, {
    database,
    url,
    definitions: onlyStop({
      run: async ({ parameters }) => {
        if (parameters.vmId === 1)
          throw new ApiError('RESOURCE_UNAVAILABLE_ERROR', 'the host is in maintenance');
        throw new TypeError('undefined is not a function');
      },
      giveUp: async (_context, reason) => {
        given.push(reason);
      },
    }),
  });
  const expected = await jobEnded(database, await enqueueStop(jobs, database, owner, 1));
  assert.equal(expected.job_status, 2);
  assert.equal(expected.job_result_code, 534);
  assert.deepEqual(given, []);
  const unexpected = await jobEnded(database, await enqueueStop(jobs, database, owner, 2));
  assert.equal(unexpected.job_result_code, 530);
  const told = JSON.stringify([unexpected.job_result, given]);
  assert.doesNotMatch(told, /undefined is not a function/, 'a bug may quote what nobody should read');
  assert.match(told, new RegExp(`in its log under job ${unexpected.uuid}`));
  assert.equal(given.length, 1);
});

test('a job that kills every worker is failed in the end', async (t) => {
  const { database, url } = await withTestDatabase(t);
  const owner = await insertOwner(database);
  const jobs = await startTestJobs(t, {
    database,
    url,
    definitions: onlyStop({ run: async () => ({}) }),
  });
  const uuid = await database.transaction().execute(async (trx) => {
    const id = await jobs.enqueue(trx, stopRequest(owner));
    await trx.updateTable('async_job').set({ attempts: 10 }).where('uuid', '=', id).execute();
    return id;
  });
  const row = await jobEnded(database, uuid);
  assert.equal(row.job_result_code, 530);
  assert.match(JSON.stringify(row.job_result), /given up/);
});

test('a stopping server gives its jobs back, and the next one ends them without repeating a finished step', async (t) => {
  const { database, url } = await withTestDatabase(t);
  const owner = await insertOwner(database);
  const done: string[] = [];
  const entered = Promise.withResolvers<void>();
  let hang = true;
  const definitions = onlyStop({
    run: (context) =>
      runSteps<{ first: string; second: string }>({
        context,
        prefix: '',
        initial: {},
        decode: (value) => value as { first: string },
        steps: [
          {
            name: 'first',
            do: async () => {
              done.push('first');
              return { first: 'kept' };
            },
          },
          {
            name: 'second',
            do: async ({ first }) => {
              done.push(`second with ${first}`);
              if (hang) {
                entered.resolve();
                await sleep(60_000, context.signal);
              }
              return { second: first };
            },
          },
        ],
      }),
  });
  const before = await startTestJobs(t, { database, url, definitions, server: 'a' });
  const uuid = await enqueueStop(before, database, owner);
  await entered.promise;
  await before.stop(5000);
  const pending = await database.selectFrom('async_job').selectAll().executeTakeFirstOrThrow();
  assert.equal(pending.job_status, 0);
  assert.equal(pending.attempts, 0, 'an orderly stop does not count against the job');
  hang = false;
  await startTestJobs(t, { database, url, definitions, server: 'b' });
  const row = await jobEnded(database, uuid);
  assert.deepEqual(row.job_result, { first: 'kept', second: 'kept' });
  assert.deepEqual(done, ['first', 'second with kept', 'second with kept']);
});

test('a worker that lost its job can write nothing more', async (t) => {
  const { database, url } = await withTestDatabase(t);
  const owner = await insertOwner(database);
  const outcome = Promise.withResolvers<unknown>();
  const entered = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<void>();
  const jobs = await startTestJobs(t, {
    database,
    url,
    definitions: onlyStop({
      run: async (context) => {
        if (context.job.attempts > 2) return { by: 'the second' };
        entered.resolve();
        await taken.promise;
        await context.write(async (trx) => trx.deleteFrom('event').execute()).catch(outcome.resolve);
        context.signal.throwIfAborted();
        return { by: 'the first' };
      },
    }),
  });
  const uuid = await enqueueStop(jobs, database, owner);
  await entered.promise;
  await database
    .updateTable('async_job')
    .set({ attempts: 2, executing_server: 'another' })
    .where('uuid', '=', uuid)
    .execute();
  taken.resolve();
  const error = await outcome.promise;
  assert.ok(error instanceof Detached);
  assert.equal(error.code, 'LEASE_LOST');
  // the carrier hands it out again, to a worker that holds it
  const row = await jobEnded(database, uuid);
  assert.deepEqual(row.job_result, { by: 'the second' });
});

test('the job of a killed server process is taken over, and its finished step is not repeated', async (t) => {
  const { database, url } = await withTestDatabase(t);
  const owner = await insertOwner(database);
  const controller = new AbortController();
  t.after(() => controller.abort());
  const child = spawnProgram(
    process.execPath,
    [fileURLToPath(new URL('./testing/doomed-server.ts', import.meta.url))],
    { signal: controller.signal, env: { DATABASE_URL: url }, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  child.on('error', () => {});
  const enqueuer = await startTestJobs(t, {
    database,
    url,
    server: 'survivor',
    // the survivor must not take the job before the doomed one: it comes up with workers only later
    definitions: onlyStop({ run: async () => ({}) }),
    concurrency: 1,
  });
  await enqueuer.stop(1000);
  await until('the doomed server’s workers', async () => {
    const [queue] = await database.selectFrom('configuration').selectAll().execute();
    return queue?.value === 'ready';
  });
  const uuid = await enqueueStop(enqueuer, database, owner);
  await until('the first step', async () => {
    const steps = await database.selectFrom('job_step').selectAll().execute();
    return steps.some((step) => step.name === 'second' && step.state === 'running');
  });
  child.kill('SIGKILL');
  const killedAt = performance.now();
  const repeated: string[] = [];
  await startTestJobs(t, {
    database,
    url,
    server: 'survivor',
    definitions: onlyStop({
      run: (context) =>
        runSteps<{ first: string; second: string }>({
          context,
          prefix: '',
          initial: {},
          decode: (value) => value as { first: string },
          steps: [
            {
              name: 'first',
              do: async () => {
                repeated.push('first');
                return { first: 'repeated' };
              },
            },
            { name: 'second', do: async ({ first }) => ({ second: first }) },
          ],
        }),
    }),
  });
  const row = await jobEnded(database, uuid);
  assert.deepEqual(row.job_result, { first: 'by the doomed', second: 'by the doomed' });
  assert.deepEqual(repeated, []);
  assert.equal(row.attempts, 2);
  t.diagnostic(`taken over and ended ${Math.round(performance.now() - killedAt)} ms after the kill`);
});

test('a restarted server goes on at once with what its killed process held', async (t) => {
  const { database, url } = await withTestDatabase(t);
  const owner = await insertOwner(database);
  const controller = new AbortController();
  t.after(() => controller.abort());
  const child = spawnProgram(
    process.execPath,
    [fileURLToPath(new URL('./testing/doomed-server.ts', import.meta.url))],
    { signal: controller.signal, env: { DATABASE_URL: url }, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  child.on('error', () => {});
  await until('the doomed server’s workers', async () => {
    const [queue] = await database.selectFrom('configuration').selectAll().execute();
    return queue?.value === 'ready';
  });
  const sender = await startTestJobs(t, {
    database,
    url,
    server: 'sender',
    definitions: onlyStop({ run: async () => ({}) }),
  });
  await sender.stop(1000);
  const uuid = await enqueueStop(sender, database, owner);
  await until('the second step', async () => {
    const steps = await database.selectFrom('job_step').selectAll().execute();
    return steps.some((step) => step.name === 'second');
  });
  child.kill('SIGKILL');
  const killedAt = performance.now();
  await startTestJobs(t, {
    database,
    url,
    server: 'doomed',
    definitions: onlyStop({ run: async () => ({ resumed: true }) }),
  });
  await jobEnded(database, uuid);
  const elapsedMs = performance.now() - killedAt;
  t.diagnostic(`ended ${Math.round(elapsedMs)} ms after the kill`);
  // without the redispatch the carrier's heartbeat (10 s) must run out first
  assert.ok(elapsedMs < 9000, `took ${elapsedMs} ms`);
});
