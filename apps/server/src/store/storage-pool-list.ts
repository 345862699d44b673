import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

export interface StoragePoolFilter {
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
  readonly zoneUuid?: string | undefined;
  readonly podUuid?: string | undefined;
  readonly clusterUuid?: string | undefined;
  readonly hostUuid?: string | undefined;
  readonly hostAddress?: string | undefined;
  readonly path?: string | undefined;
  readonly scope?: string | undefined;
  readonly status?: string | undefined;
}

export async function listStoragePoolRows(executor: Executor, filter: StoragePoolFilter, page: Page) {
  let query = executor
    .selectFrom('storage_pool')
    .innerJoin('data_center', 'data_center.id', 'storage_pool.data_center_id')
    .leftJoin('host_pod_ref', 'host_pod_ref.id', 'storage_pool.pod_id')
    .leftJoin('cluster', 'cluster.id', 'storage_pool.cluster_id')
    .where('storage_pool.removed', 'is', null);
  const equal = [
    ['storage_pool.uuid', filter.uuid],
    ['storage_pool.name', filter.name],
    ['data_center.uuid', filter.zoneUuid],
    ['host_pod_ref.uuid', filter.podUuid],
    ['cluster.uuid', filter.clusterUuid],
    ['storage_pool.host_address', filter.hostAddress],
    ['storage_pool.path', filter.path],
    ['storage_pool.scope', filter.scope?.toUpperCase()],
    ['storage_pool.status', filter.status],
  ] as const;
  for (const [column, value] of equal) {
    if (value !== undefined) query = query.where(column, '=', value);
  }
  const { keyword, hostUuid } = filter;
  if (keyword !== undefined) query = query.where('storage_pool.name', 'ilike', containing(keyword));
  if (hostUuid !== undefined) {
    query = query.where(
      sql<boolean>`exists (select from storage_pool_host_ref r join host on host.id = r.host_id
        where r.pool_id = storage_pool.id and host.uuid = ${hostUuid})`,
    );
  }
  const selected = query
    .selectAll('storage_pool')
    .select([
      'data_center.uuid as zone_uuid',
      'data_center.name as zone_name',
      'host_pod_ref.uuid as pod_uuid',
      'host_pod_ref.name as pod_name',
      'cluster.uuid as cluster_uuid',
      'cluster.name as cluster_name',
    ])
    .orderBy('storage_pool.id');
  return pageOf(selected, page);
}

export type StoragePoolRow = Awaited<ReturnType<typeof listStoragePoolRows>>['rows'][number];

/** Bytes that volumes and copies of templates may come to take on pools. */
export async function allocatedBytesOf(executor: Executor, poolIds: readonly number[]) {
  const rows = await sql<{ pool_id: number; bytes: number }>`
    select pool_id, sum(bytes)::bigint as bytes from (
      select pool_id, size as bytes from volumes where removed is null
      union all
      select pool_id, template_size as bytes from template_spool_ref where state = 'Ready'
    ) taken where pool_id = any(${poolIds}) group by pool_id`.execute(executor);
  return new Map(rows.rows.map((row) => [row.pool_id, row.bytes]));
}
