import { type EntityOf, formatDate, type storagePoolFields } from '@millrace/api';
import type { Executor } from '../../store/database.ts';
import { everything } from '../../store/paging.ts';
import { allocatedBytesOf, listStoragePoolRows, type StoragePoolRow } from '../../store/storage-pool-list.ts';

export type StoragePoolEntity = EntityOf<typeof storagePoolFields>;

/** Pools as the API tells them, with what is allocated on each. */
export async function storagePoolEntities(
  executor: Executor,
  rows: readonly StoragePoolRow[],
): Promise<StoragePoolEntity[]> {
  const ids = rows.map((row) => row.id);
  const allocated = await allocatedBytesOf(executor, ids);
  return rows.map((row) => ({
    id: row.uuid,
    name: row.name,
    type: row.pool_type,
    scope: row.scope,
    state: row.status,
    path: row.path,
    ipaddress: row.host_address ?? undefined,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    podid: row.pod_uuid ?? undefined,
    podname: row.pod_name ?? undefined,
    clusterid: row.cluster_uuid ?? undefined,
    clustername: row.cluster_name ?? undefined,
    hypervisor: 'KVM',
    created: formatDate(row.created),
    disksizetotal: row.capacity_bytes,
    capacitybytes: row.capacity_bytes,
    disksizeused: row.used_bytes,
    disksizeallocated: allocated.get(row.id) ?? 0,
    overprovisionfactor: '1.0',
    provider: 'DefaultPrimary',
    managed: false,
    tags: row.tags ?? undefined,
    hasannotations: false,
  }));
}

/** @throws Error when there is no such pool */
export async function loadStoragePool(executor: Executor, uuid: string): Promise<StoragePoolEntity> {
  const { rows } = await listStoragePoolRows(executor, { uuid }, everything);
  const [entity] = await storagePoolEntities(executor, rows);
  if (!entity) throw new Error(`there is no storage pool ${uuid}`);
  return entity;
}
