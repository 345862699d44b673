import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { type EventType, recordEvent } from './events.ts';
import { containing } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

/** Events that somebody has to look at, with CloudStack's number of the kind of alert. */
export const alertTypes: Readonly<Record<string, number>> = {
  'ALERT.STORAGE': 2,
  'ALERT.COMPUTE.HOST': 7,
  'ALERT.USERVM': 8,
  'TEMPLATE.SOURCE.CHANGED': 28,
  'ISO.SOURCE.CHANGED': 28,
} satisfies Partial<Record<EventType, number>>;

export async function listAlertRows(
  executor: Executor,
  filter: {
    readonly uuid?: string | undefined;
    readonly names: readonly string[];
    readonly keyword?: string | undefined;
  },
  page: Page,
) {
  let query = executor
    .selectFrom('event')
    .where('alert_state', '=', 'shown')
    .where('type', '=', sql<string>`any(${filter.names})`);
  if (filter.uuid !== undefined) query = query.where('uuid', '=', filter.uuid);
  if (filter.keyword !== undefined) query = query.where('description', 'ilike', containing(filter.keyword));
  return pageOf(query.select(['uuid', 'type', 'description', 'created']).orderBy('id', 'desc'), page);
}

/** A pool must have become so much emptier before its space is told of again. */
const relief = 0.05;

/**
 * An alert for every pool that is fuller than `threshold` (a share), once until it has space again.
 * @returns the names of pools that were told of now
 */
export async function tellOfLowSpace(executor: Executor, threshold: number): Promise<string[]> {
  await sql`
    update storage_pool set low_space_told = false
    where low_space_told and used_bytes < capacity_bytes * ${threshold - relief}::float8
  `.execute(executor);
  const { rows } = await sql<{ uuid: string; name: string; percent: number }>`
    update storage_pool set low_space_told = true
    where not low_space_told and removed is null and capacity_bytes > 0
      and used_bytes >= capacity_bytes * ${threshold}::float8
    returning uuid, name, floor(used_bytes * 100.0 / capacity_bytes)::int as percent
  `.execute(executor);
  for (const pool of rows)
    await recordEvent(executor, {
      type: 'ALERT.STORAGE',
      level: 'WARN',
      description: `Storage pool ${pool.name} is ${pool.percent} % full: remove images that nothing uses (evictTemplate, storage.template.cleanup.*) or add a pool`,
      resourceType: 'StoragePool',
      resourceUuid: pool.uuid,
    });
  return rows.map(({ name }) => name);
}
