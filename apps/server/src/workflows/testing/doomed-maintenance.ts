import { silentLogger, sleep } from '@millrace/core';
import { startJobs } from '../../jobs/start-jobs.ts';
import { runSteps } from '../../jobs/steps.ts';
import { onlyThese } from '../../jobs/testing/job-fixture.ts';
import { openDatabase } from '../../store/database.ts';
import { enableStorageMaintenance } from '../storage-maintenance.ts';

/** A server process that a test kills while it ends guests that did not end by themselves. */
const url = process.env['DATABASE_URL'];
if (!url) throw new Error('DATABASE_URL is missing');
const database = openDatabase(url);
const jobs = await startJobs({
  database,
  databaseUrl: url,
  server: 'doomed',
  log: silentLogger,
  concurrency: 4,
  definitions: onlyThese({
    enableStorageMaintenance: enableStorageMaintenance({ queue: () => jobs, runSteps }),
    stopVirtualMachine: {
      run: async ({ parameters, signal }) => {
        if (!parameters.forced) throw new Error('the guest laughs');
        await sleep(600_000, signal);
        return {};
      },
    },
  }),
});
await database.insertInto('configuration').values({ name: 'doomed-server', value: 'ready' }).execute();
