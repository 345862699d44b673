import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { withTestDatabase } from '../../../../test/postgres.ts';
import { isPassing } from './connection-loss.ts';

test('a connection that breaks inside a transaction fails it and not the process', async (t) => {
  const { database } = await withTestDatabase(t);
  const uncaught: unknown[] = [];
  const listener = (error: unknown) => uncaught.push(error);
  process.on('uncaughtException', listener);
  t.after(() => process.off('uncaughtException', listener));
  const open = Promise.withResolvers<number>();
  const broken = Promise.withResolvers<void>();
  const transaction = database.transaction().execute(async (trx) => {
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
    open.resolve(rows[0]!.pid);
    await broken.promise;
    await sql`select 1`.execute(trx);
  });
  const pid = await open.promise;
  await sql`select pg_terminate_backend(${pid})`.execute(database);
  for (let left = 100; left > 0; left--) {
    const { rows } = await sql`select from pg_stat_activity where pid = ${pid}`.execute(database);
    if (rows.length === 0) break;
  }
  // time for the end of the connection to arrive here, with no query to report it
  await new Promise((resolve) => setTimeout(resolve, 200));
  broken.resolve();
  await assert.rejects(transaction, (error: unknown) => isPassing(error));
  assert.deepEqual(uncaught, []);
});
