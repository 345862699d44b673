import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { type EventType, recordEvent } from './events.ts';
import { containing } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

/** Events that somebody has to look at, with CloudStack's number of the kind of alert. */
export const alertTypes: Readonly<Record<string, number>> = {
  'ALERT.MEMORY': 0,
  'ALERT.CPU': 1,
  'ALERT.STORAGE': 2,
  'ALERT.COMPUTE.HOST': 7,
  'ALERT.USERVM': 8,
  'TEMPLATE.COPY.DAMAGED': 28,
  'ISO.COPY.DAMAGED': 28,
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

/** A pool or cluster must have become so much emptier before it is told of again. */
const relief = 0.05;

/**
 * An alert for a pool that is fuller than `threshold` (a share), once until it has space again.
 * @returns its name when it was told of now
 */
export async function tellOfLowSpace(
  executor: Executor,
  poolId: number,
  threshold: number,
): Promise<string[]> {
  await sql`
    update storage_pool set low_space_told = false
    where id = ${poolId} and low_space_told and used_bytes < capacity_bytes * ${threshold - relief}::float8
  `.execute(executor);
  const { rows } = await sql<{ uuid: string; name: string; percent: number }>`
    update storage_pool set low_space_told = true
    where id = ${poolId} and not low_space_told and removed is null and capacity_bytes > 0
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

export interface ClusterUse {
  readonly uuid: string;
  readonly name: string;
  readonly of: 'memory' | 'cpu';
  /** What instances have of it, 0 to 1 of what there is. */
  readonly share: number;
}

const clusterAlerts = {
  memory: { type: 'ALERT.MEMORY', told: 'low_memory_told', words: 'the memory' },
  cpu: { type: 'ALERT.CPU', told: 'low_cpu_told', words: 'the CPUs' },
} as const;

/**
 * An alert for a cluster whose instances have more than `threshold` of what it has, once until some is free again.
 * @returns whether it was told of now
 */
export async function tellOfFullCluster(
  executor: Executor,
  use: ClusterUse,
  threshold: number,
): Promise<boolean> {
  const { type, told, words } = clusterAlerts[use.of];
  if (use.share < threshold) {
    if (use.share < threshold - relief)
      await executor
        .updateTable('cluster')
        .set({ [told]: false })
        .where('uuid', '=', use.uuid)
        .where(told, '=', true)
        .execute();
    return false;
  }
  const first = await executor
    .updateTable('cluster')
    .set({ [told]: true })
    .where('uuid', '=', use.uuid)
    .where(told, '=', false)
    .executeTakeFirst();
  if (first.numUpdatedRows === 0n) return false;
  await recordEvent(executor, {
    type,
    level: 'WARN',
    description: `Instances have ${Math.floor(use.share * 100)} % of ${words} of cluster ${use.name}: add a host, or stop instances`,
    resourceType: 'Cluster',
    resourceUuid: use.uuid,
  });
  return true;
}
