import { test } from 'node:test';
import { withTestApi } from '../../apps/server/src/http/testing/test-api.ts';
import { latencyTable, measureListing } from './measure.ts';
import { seedInstances } from './seed.ts';

/** How long pages of many instances take. See README.md. */

const instances = Number(process.argv[2] ?? 10_000);
const requests = 200;
const pagesize = 500;

test(`pages of ${pagesize} of ${instances} instances`, async (t) => {
  const api = await withTestApi(t);
  await seedInstances(api, instances);
  const pages = Math.ceil(instances / pagesize);
  const size = { pagesize: String(pagesize) };
  const cases = [
    { what: 'everything', params: size, pages },
    { what: 'running ones', params: { ...size, state: 'Running' }, pages: Math.ceil(pages / 2) },
    { what: 'keyword', params: { ...size, keyword: 'seed-1' }, pages: 2 },
    {
      what: 'one by its tag',
      params: { ...size, 'tags[0].key': 'number', 'tags[0].value': 'n77' },
      pages: 1,
    },
    { what: 'pages of 20', params: { pagesize: '20' }, pages: instances / 20 },
  ];
  const all = [];
  for (const one of cases) {
    // the first calls compile and fill caches
    await measureListing(api, { ...one, requests: 10 });
    all.push(await measureListing(api, { ...one, requests }));
  }
  process.stdout.write(`${latencyTable(all)}\n`);
});
