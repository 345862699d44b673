import { formatDate, specs } from '@millrace/api';
import { allocatedBytesOf, listStoragePoolRows } from '../store/storage-pool-list.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';

export const listStoragePools = implement(specs.listStoragePools, async ({ params, database }) => {
  const filter = {
    uuid: params.id,
    name: params.name,
    keyword: params.keyword,
    zoneUuid: params.zoneid,
    podUuid: params.podid,
    clusterUuid: params.clusterid,
    hostUuid: params.hostid,
    hostAddress: params.ipaddress,
    path: params.path,
    scope: params.scope,
    status: params.status,
  };
  const { rows, count } = await listStoragePoolRows(database, filter, await pageFrom(database, params));
  const allocated = await allocatedBytesOf(
    database,
    rows.map((row) => row.id),
  );
  const list = rows.map((row) => ({
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
  return { list, count };
});
