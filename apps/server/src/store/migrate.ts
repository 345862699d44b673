import { readdir, readFile } from 'node:fs/promises';
import { sql } from 'kysely';
import type { Database } from './database.ts';

const directory = new URL('./migrations/', import.meta.url);
/** Any constant will do: it only has to be the same in every server that migrates this database. */
const migrationLock = 7_210_418;

/**
 * Applies the numbered files that the database has not seen, each in one transaction, under an advisory lock so that
 * servers starting together do not collide.
 * @returns the names applied now
 */
export async function migrate(database: Database): Promise<string[]> {
  const files = (await readdir(directory)).filter((name) => /^\d{6}_.*\.sql$/.test(name)).sort();
  const applied: string[] = [];
  await database.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${migrationLock})`.execute(trx);
    await sql`create table if not exists schema_migration (name text primary key, applied timestamptz not null default now())`.execute(
      trx,
    );
    const seen = await sql<{ name: string }>`select name from schema_migration`.execute(trx);
    const known = new Set(seen.rows.map((row) => row.name));
    for (const name of files) {
      if (known.has(name)) continue;
      await sql.raw(await readFile(new URL(name, directory), 'utf8')).execute(trx);
      await sql`insert into schema_migration (name) values (${name})`.execute(trx);
      applied.push(name);
    }
  });
  return applied;
}
