import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '@millrace/core';
import { withTestDatabase } from '../../../../test/postgres.ts';
import { enqueueStop, insertOwner, jobEnded, onlyStop, startTestJobs, until } from './testing/job-fixture.ts';

test('instances can be stopped while every worker for deployments waits for a transfer that never ends', async (t) => {
  const { database, url } = await withTestDatabase(t);
  const owner = await insertOwner(database);
  let waiting = 0;
  const jobs = await startTestJobs(t, {
    database,
    url,
    concurrency: 2,
    definitions: {
      ...onlyStop({ run: async () => ({ stopped: true }) }),
      deployVirtualMachine: {
        run: async ({ signal }) => {
          waiting++;
          await sleep(3_600_000, signal);
          return {};
        },
      },
    },
  });
  for (let vmId = 1; vmId <= 6; vmId++)
    await database.transaction().execute((trx) =>
      jobs.enqueue(trx, {
        command: 'deployVirtualMachine',
        parameters: { vmId, startVm: true },
        ...owner,
        instanceType: 'VirtualMachine',
        instanceUuid: crypto.randomUUID(),
      }),
    );
  await until('all workers to be taken', () => waiting === 2);
  const row = await jobEnded(database, await enqueueStop(jobs, database, owner));
  assert.deepEqual(row.job_result, { stopped: true });
  assert.equal(waiting, 2);
});

test('phases are told in the order in which they came', async (t) => {
  const { database, url } = await withTestDatabase(t);
  const owner = await insertOwner(database);
  const names = ['waiting-for-host', 'transferring', 'a-long-name-of-a-phase', 'b', 'committed'];
  const jobs = await startTestJobs(t, {
    database,
    url,
    definitions: onlyStop({
      run: async ({ progress }) => {
        for (const phase of names) progress.report({ phase, percent: 1 });
        return {};
      },
    }),
  });
  const row = await jobEnded(database, await enqueueStop(jobs, database, owner));
  const { phasems } = row.job_progress as { phasems: object };
  assert.deepEqual(Object.keys(phasems), names);
});
