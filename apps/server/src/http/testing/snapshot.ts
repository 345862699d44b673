import { sql } from 'kysely';
import type { Database } from '../../store/database.ts';

/** A digest of every row of every table: equal snapshots mean that nothing was changed. */
export async function snapshotOf(database: Database): Promise<Record<string, string>> {
  const tables = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public' order by tablename`.execute(database);
  const entries = await Promise.all(
    tables.rows.map(async ({ name }) => {
      const digest = await sql<{ digest: string }>`
        select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') as digest
        from ${sql.table(name)} t`.execute(database);
      return [name, digest.rows[0]!.digest] as const;
    }),
  );
  return Object.fromEntries(entries);
}
