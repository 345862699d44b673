import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

export interface HostFilter {
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
  readonly zoneUuid?: string | undefined;
  readonly podUuid?: string | undefined;
  readonly clusterUuid?: string | undefined;
  readonly type?: string | undefined;
  readonly state?: string | undefined;
  readonly resourceState?: string | undefined;
  readonly hypervisor?: string | undefined;
  /** Hosts of the same cluster as this instance's host, but that host. */
  readonly migrationOfVmUuid?: string | undefined;
}

export async function listHostRows(executor: Executor, filter: HostFilter, page: Page) {
  let query = executor
    .selectFrom('host')
    .innerJoin('cluster', 'cluster.id', 'host.cluster_id')
    .innerJoin('host_pod_ref', 'host_pod_ref.id', 'host.pod_id')
    .innerJoin('data_center', 'data_center.id', 'host.data_center_id')
    .where('host.removed', 'is', null);
  const equal = [
    ['host.uuid', filter.uuid],
    ['host.name', filter.name],
    ['data_center.uuid', filter.zoneUuid],
    ['host_pod_ref.uuid', filter.podUuid],
    ['cluster.uuid', filter.clusterUuid],
    ['host.type', filter.type],
    ['host.status', filter.state],
    ['host.resource_state', filter.resourceState],
  ] as const;
  for (const [column, value] of equal) {
    if (value !== undefined) query = query.where(column, '=', value);
  }
  const { hypervisor, keyword, migrationOfVmUuid } = filter;
  if (hypervisor !== undefined) {
    query = query.where(sql<boolean>`lower(host.hypervisor_type) = ${hypervisor.toLowerCase()}`);
  }
  if (keyword !== undefined) query = query.where('host.name', 'ilike', containing(keyword));
  if (migrationOfVmUuid !== undefined) {
    query = query.where(
      sql<boolean>`exists (select from vm_instance v join host h on h.id = v.host_id
        where v.uuid = ${migrationOfVmUuid} and h.cluster_id = host.cluster_id and h.id <> host.id)`,
    );
  }
  const selected = query
    .selectAll('host')
    .select([
      'cluster.uuid as cluster_uuid',
      'cluster.name as cluster_name',
      'host_pod_ref.uuid as pod_uuid',
      'host_pod_ref.name as pod_name',
      'data_center.uuid as zone_uuid',
      'data_center.name as zone_name',
    ])
    .orderBy('host.id');
  return pageOf(selected, page);
}

export type HostRow = Awaited<ReturnType<typeof listHostRows>>['rows'][number];

/** What instances take of hosts: those that run, start or stop there. */
export async function allocationsOf(executor: Executor, hostIds: readonly number[]) {
  const rows = await executor
    .selectFrom('vm_instance')
    .innerJoin('service_offering', 'service_offering.id', 'vm_instance.service_offering_id')
    .where('vm_instance.host_id', '=', sql<number>`any(${hostIds})`)
    .where('vm_instance.removed', 'is', null)
    .where('vm_instance.state', 'in', ['Running', 'Starting', 'Stopping', 'Migrating', 'Unknown'])
    .groupBy('vm_instance.host_id')
    .select([
      'vm_instance.host_id',
      sql<number>`sum(service_offering.cpu * service_offering.speed)::bigint`.as('cpu_mhz'),
      sql<number>`sum(service_offering.ram_size::bigint * 1048576)::bigint`.as('memory_bytes'),
    ])
    .execute();
  return new Map(rows.map((row) => [row.host_id, row]));
}

/** Hosts with a local pool that is up. */
export async function hostsWithLocalPool(executor: Executor, hostIds: readonly number[]) {
  const rows = await executor
    .selectFrom('storage_pool_host_ref')
    .innerJoin('storage_pool', 'storage_pool.id', 'storage_pool_host_ref.pool_id')
    .where('storage_pool_host_ref.host_id', '=', sql<number>`any(${hostIds})`)
    .where('storage_pool.scope', '=', 'HOST')
    .where('storage_pool.removed', 'is', null)
    .select('storage_pool_host_ref.host_id')
    .execute();
  return new Set(rows.map((row) => row.host_id));
}

/** Hosts of zones that can do work, with the labels a source's location is compared with, nearest first. */
export async function workingHosts(executor: Executor, zoneIds: readonly number[]) {
  const rows = await executor
    .selectFrom('host')
    .innerJoin('cluster', 'cluster.id', 'host.cluster_id')
    .innerJoin('host_pod_ref', 'host_pod_ref.id', 'host.pod_id')
    .innerJoin('data_center', 'data_center.id', 'host.data_center_id')
    .where('host.data_center_id', '=', sql<number>`any(${zoneIds})`)
    .where('host.removed', 'is', null)
    .where('host.status', '=', 'Up')
    .where('host.resource_state', '=', 'Enabled')
    .select([
      'host.id',
      'host.name',
      'host.location as host_location',
      'cluster.location as cluster_location',
      'host_pod_ref.location as pod_location',
      'data_center.location as zone_location',
    ])
    .orderBy('host.id')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    location: [row.host_location, row.cluster_location, row.pod_location, row.zone_location].filter(
      (label) => label !== null,
    ),
  }));
}
