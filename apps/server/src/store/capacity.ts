import { sql } from 'kysely';
import type { Executor } from './database.ts';

/** CloudStack's numbers and names of what there can be too little of. */
const types = {
  memory: { type: 0, name: 'MEMORY' },
  cpu: { type: 1, name: 'CPU' },
  storage: { type: 2, name: 'STORAGE' },
  storageAllocated: { type: 3, name: 'STORAGE_ALLOCATED' },
  addresses: { type: 8, name: 'DIRECT_ATTACHED_PUBLIC_IP' },
  localStorage: { type: 9, name: 'LOCAL_STORAGE' },
} as const;

export interface CapacityPlace {
  readonly zoneUuid: string;
  readonly zoneName: string;
  readonly podUuid?: string | undefined;
  readonly podName?: string | undefined;
  readonly clusterUuid?: string | undefined;
  readonly clusterName?: string | undefined;
}

/** Bytes of memory and storage, MHz of CPUs, numbers of addresses. */
export interface Capacity {
  readonly type: number;
  readonly name: string;
  readonly total: number;
  /** In use by what runs, or on disk. */
  readonly used: number;
  /** Given away: what runs, and how large disks may become. */
  readonly allocated: number;
  readonly place: CapacityPlace;
}

/**
 * What there is and what is in use, by type and cluster (addresses and pools of a zone: by zone).
 * @param overCommit the factors of clusters that have none of their own
 */
export async function capacities(
  executor: Executor,
  overCommit: { readonly cpu: number; readonly memory: number },
): Promise<Capacity[]> {
  return [
    ...(await ofHosts(executor, overCommit)),
    ...(await ofPools(executor)),
    ...(await ofAddresses(executor)),
  ];
}

const placeColumns = sql`
  data_center.uuid as zone_uuid, data_center.name as zone_name, host_pod_ref.uuid as pod_uuid,
  host_pod_ref.name as pod_name, cluster.uuid as cluster_uuid, cluster.name as cluster_name`;

interface PlaceRow {
  readonly zone_uuid: string;
  readonly zone_name: string;
  readonly pod_uuid: string | null;
  readonly pod_name: string | null;
  readonly cluster_uuid: string | null;
  readonly cluster_name: string | null;
}

function placeOf(row: PlaceRow): CapacityPlace {
  return {
    zoneUuid: row.zone_uuid,
    zoneName: row.zone_name,
    podUuid: row.pod_uuid ?? undefined,
    podName: row.pod_name ?? undefined,
    clusterUuid: row.cluster_uuid ?? undefined,
    clusterName: row.cluster_name ?? undefined,
  };
}

async function ofHosts(
  executor: Executor,
  overCommit: { readonly cpu: number; readonly memory: number },
): Promise<Capacity[]> {
  const { rows } = await sql<
    PlaceRow & { cpu: number; cpu_used: number; memory: number; memory_used: number }
  >`
    with used as (
      select host_id, sum(cpu * speed)::bigint as mhz, sum(ram_size)::bigint as mib
      from vm_instance join service_offering on service_offering.id = service_offering_id
      where vm_instance.removed is null and host_id is not null group by host_id
    ), factors as (
      select cluster_id,
        max(value::float8) filter (where name = 'cpu.overprovisioning.factor') as cpu,
        max(value::float8) filter (where name = 'mem.overprovisioning.factor') as memory
      from cluster_details group by cluster_id
    )
    select ${placeColumns},
      coalesce(sum(host.cpus * host.speed * coalesce(factors.cpu, ${overCommit.cpu}::float8)), 0)::bigint as cpu,
      coalesce(sum(used.mhz), 0)::bigint as cpu_used,
      coalesce(sum(host.ram * coalesce(factors.memory, ${overCommit.memory}::float8)), 0)::bigint as memory,
      coalesce(sum(used.mib), 0)::bigint * 1048576 as memory_used
    from cluster
      join host_pod_ref on host_pod_ref.id = cluster.pod_id
      join data_center on data_center.id = cluster.data_center_id
      left join host on host.cluster_id = cluster.id and host.removed is null and host.type = 'Routing'
        and host.status = 'Up' and host.resource_state = 'Enabled'
      left join used on used.host_id = host.id
      left join factors on factors.cluster_id = cluster.id
    where cluster.removed is null
    group by data_center.id, host_pod_ref.id, cluster.id order by cluster.id
  `.execute(executor);
  return rows.flatMap((row) => [
    {
      ...types.memory,
      total: row.memory,
      used: row.memory_used,
      allocated: row.memory_used,
      place: placeOf(row),
    },
    { ...types.cpu, total: row.cpu, used: row.cpu_used, allocated: row.cpu_used, place: placeOf(row) },
  ]);
}

async function ofPools(executor: Executor): Promise<Capacity[]> {
  const { rows } = await sql<PlaceRow & { local: boolean; total: number; used: number; allocated: number }>`
    select ${placeColumns}, storage_pool.scope = 'HOST' as local,
      sum(capacity_bytes)::bigint as total, sum(used_bytes)::bigint as used,
      coalesce(sum(taken.bytes), 0)::bigint as allocated
    from storage_pool
      join data_center on data_center.id = storage_pool.data_center_id
      left join host_pod_ref on host_pod_ref.id = storage_pool.pod_id
      left join cluster on cluster.id = storage_pool.cluster_id
      left join lateral (
        select sum(bytes) as bytes from (
          select size as bytes from volumes where pool_id = storage_pool.id and removed is null
          union all
          select template_size from template_spool_ref where pool_id = storage_pool.id and state = 'Ready'
        ) one
      ) taken on true
    where storage_pool.removed is null and storage_pool.status = 'Up'
    group by data_center.id, host_pod_ref.id, cluster.id, local
    order by data_center.id, cluster.id
  `.execute(executor);
  return rows.flatMap((row): Capacity[] => {
    const { total, used, allocated } = row;
    const place = placeOf(row);
    if (row.local) return [{ ...types.localStorage, total, used, allocated, place }];
    return [
      { ...types.storage, total, used, allocated, place },
      { ...types.storageAllocated, total, used: allocated, allocated, place },
    ];
  });
}

async function ofAddresses(executor: Executor): Promise<Capacity[]> {
  const { rows } = await sql<PlaceRow & { total: number; used: number }>`
    select data_center.uuid as zone_uuid, data_center.name as zone_name,
      null as pod_uuid, null as pod_name, null as cluster_uuid, null as cluster_name,
      sum(end_ip::inet - start_ip::inet + 1)::bigint as total,
      coalesce(sum((select count(*) from nics where network_id = networks.id and nics.removed is null
        and ip4_address is not null)), 0)::bigint as used
    from networks join data_center on data_center.id = networks.data_center_id
    where networks.removed is null
    group by data_center.id order by data_center.id
  `.execute(executor);
  return rows.map((row) => ({
    ...types.addresses,
    total: row.total,
    used: row.used,
    allocated: row.used,
    place: placeOf(row),
  }));
}
