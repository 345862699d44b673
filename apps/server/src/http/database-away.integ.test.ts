import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '@millrace/core';
import { sql } from 'kysely';
import { withTestApi } from './testing/test-api.ts';

const { signal } = new AbortController();

test('a call whose database connection is ended is answered with 534 and the advice to try again', async (t) => {
  const api = await withTestApi(t);
  const call = await api.database.transaction().execute(async (trx) => {
    await sql`lock table data_center in access exclusive mode`.execute(trx);
    const waiting = api.call('listZones');
    for (let ended = 0, tries = 0; ended === 0 && tries < 200; tries++) {
      await sleep(25, signal);
      const { rows } = await sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`.execute(trx);
      ended = rows.length;
    }
    return waiting;
  });
  assert.equal(call.status, 534);
  assert.match(String(call.content['errortext']), /database is away.*try again/);
  assert.equal((await api.call('listZones')).status, 200);
});
