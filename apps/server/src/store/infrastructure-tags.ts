import { sql } from 'kysely';
import type { Executor } from './database.ts';

/** Tags that hosts have, each once. */
export async function tagsOfHosts(executor: Executor): Promise<string[]> {
  return tagsOf(executor, 'host');
}

/** Tags that storage pools have, each once. */
export async function tagsOfPools(executor: Executor): Promise<string[]> {
  return tagsOf(executor, 'storage_pool');
}

async function tagsOf(executor: Executor, table: 'host' | 'storage_pool'): Promise<string[]> {
  const { rows } = await sql<{ tag: string }>`
    select distinct trim(tag) as tag from ${sql.table(table)}, unnest(string_to_array(tags, ',')) as tag
    where removed is null and trim(tag) <> '' order by tag
  `.execute(executor);
  return rows.map(({ tag }) => tag);
}
