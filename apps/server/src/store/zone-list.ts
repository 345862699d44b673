import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

export interface ZoneFilter {
  readonly uuids?: readonly string[] | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
  readonly networkType?: string | undefined;
}

export async function listZoneRows(executor: Executor, filter: ZoneFilter, page: Page) {
  let query = executor.selectFrom('data_center').where('removed', 'is', null);
  if (filter.uuids) query = query.where('uuid', '=', sql<string>`any(${filter.uuids}::uuid[])`);
  if (filter.name !== undefined) query = query.where('name', '=', filter.name);
  if (filter.keyword !== undefined) query = query.where('name', 'ilike', containing(filter.keyword));
  if (filter.networkType !== undefined) query = query.where('networktype', '=', filter.networkType);
  return pageOf(query.selectAll().orderBy('sort_key').orderBy('id'), page);
}

export interface PodFilter {
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
  readonly zoneUuid?: string | undefined;
  readonly allocationState?: string | undefined;
}

export async function listPodRows(executor: Executor, filter: PodFilter, page: Page) {
  let query = executor
    .selectFrom('host_pod_ref')
    .innerJoin('data_center', 'data_center.id', 'host_pod_ref.data_center_id')
    .where('host_pod_ref.removed', 'is', null);
  if (filter.uuid !== undefined) query = query.where('host_pod_ref.uuid', '=', filter.uuid);
  if (filter.name !== undefined) query = query.where('host_pod_ref.name', '=', filter.name);
  if (filter.keyword !== undefined) {
    query = query.where('host_pod_ref.name', 'ilike', containing(filter.keyword));
  }
  if (filter.zoneUuid !== undefined) query = query.where('data_center.uuid', '=', filter.zoneUuid);
  if (filter.allocationState !== undefined) {
    query = query.where('host_pod_ref.allocation_state', '=', filter.allocationState);
  }
  const selected = query
    .selectAll('host_pod_ref')
    .select(['data_center.uuid as zone_uuid', 'data_center.name as zone_name'])
    .orderBy('host_pod_ref.id');
  return pageOf(selected, page);
}

export type PodRow = Awaited<ReturnType<typeof listPodRows>>['rows'][number];

export interface ClusterFilter {
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
  readonly zoneUuid?: string | undefined;
  readonly podUuid?: string | undefined;
  readonly hypervisor?: string | undefined;
  readonly allocationState?: string | undefined;
  readonly managedState?: string | undefined;
}

export async function listClusterRows(executor: Executor, filter: ClusterFilter, page: Page) {
  let query = executor
    .selectFrom('cluster')
    .innerJoin('host_pod_ref', 'host_pod_ref.id', 'cluster.pod_id')
    .innerJoin('data_center', 'data_center.id', 'cluster.data_center_id')
    .where('cluster.removed', 'is', null);
  const equal = [
    ['cluster.uuid', filter.uuid],
    ['cluster.name', filter.name],
    ['data_center.uuid', filter.zoneUuid],
    ['host_pod_ref.uuid', filter.podUuid],
    ['cluster.allocation_state', filter.allocationState],
    ['cluster.managed_state', filter.managedState],
  ] as const;
  for (const [column, value] of equal) {
    if (value !== undefined) query = query.where(column, '=', value);
  }
  if (filter.hypervisor !== undefined) {
    query = query.where(sql<boolean>`lower(cluster.hypervisor_type) = ${filter.hypervisor.toLowerCase()}`);
  }
  if (filter.keyword !== undefined) query = query.where('cluster.name', 'ilike', containing(filter.keyword));
  const selected = query
    .selectAll('cluster')
    .select([
      'data_center.uuid as zone_uuid',
      'data_center.name as zone_name',
      'host_pod_ref.uuid as pod_uuid',
      'host_pod_ref.name as pod_name',
    ])
    .orderBy('cluster.id');
  return pageOf(selected, page);
}

export type ClusterRow = Awaited<ReturnType<typeof listClusterRows>>['rows'][number];

/** A zone that can be deployed into or registered for. */
export async function findZone(executor: Executor, uuid: string) {
  return executor
    .selectFrom('data_center')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('removed', 'is', null)
    .executeTakeFirst();
}
