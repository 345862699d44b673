import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rows, withTestApi } from '../../apps/server/src/http/testing/test-api.ts';
import { latencyTable, measureListing } from './measure.ts';
import { seedInstances } from './seed.ts';

/** The benchmark with few instances: does it work, not how fast. */
test('every seeded instance is on one page, whole, and each measured list has a row', async (t) => {
  const api = await withTestApi(t);
  await seedInstances(api, 60);
  const ids = new Set<unknown>();
  for (const page of ['1', '2', '3']) {
    const answer = await api.call('listVirtualMachines', { listall: 'true', pagesize: '25', page });
    assert.equal(answer.content['count'], 60);
    for (const row of rows(answer)) {
      ids.add(row['id']);
      assert.deepEqual(
        [row['nic'], row['tags']].map((list) => Array.isArray(list) && list.length),
        [1, 1],
      );
      assert.deepEqual([row['details'], row['jobstatus']], [{ purpose: 'listing' }, 1]);
    }
  }
  assert.equal(ids.size, 60);
  const params = { pagesize: '25' };
  const latencies = await measureListing(api, { what: 'everything', params, pages: 3, requests: 6 });
  assert.match(latencyTable([latencies]), /\| everything \| 6 \| \d+ ms \|/);
});
