import { silentLogger, sleep } from '@millrace/core';
import { openDatabase } from '../../store/database.ts';
import { startJobs } from '../start-jobs.ts';
import { runSteps } from '../steps.ts';
import { onlyStop } from './job-fixture.ts';

/** A server process that a test kills while its job is in the second step. */
const url = process.env['DATABASE_URL'];
if (!url) throw new Error('DATABASE_URL is missing');
const database = openDatabase(url);
await startJobs({
  database,
  databaseUrl: url,
  server: 'doomed',
  log: silentLogger,
  concurrency: 2,
  definitions: onlyStop({
    run: (context) =>
      runSteps<{ first: string; second: string }>({
        context,
        prefix: '',
        initial: {},
        decode: (value) => value as { first: string },
        steps: [
          { name: 'first', do: async () => ({ first: 'by the doomed' }) },
          {
            name: 'second',
            do: async () => {
              await sleep(600_000, context.signal);
              return { second: 'never' };
            },
          },
        ],
      }),
  }),
});
await database.insertInto('configuration').values({ name: 'doomed-server', value: 'ready' }).execute();
