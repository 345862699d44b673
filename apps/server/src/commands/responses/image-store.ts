import { type EntityOf, formatDate, type imageStoreFields, type systemVmFields } from '@millrace/api';
import type { Executor } from '../../store/database.ts';
import { type ImageStoreRow, listImageStoreRows, type WorkerRow } from '../../store/image-stores.ts';
import { everything } from '../../store/paging.ts';

export type ImageStoreEntity = EntityOf<typeof imageStoreFields>;

export function imageStoreEntity(row: ImageStoreRow): ImageStoreEntity {
  const url = row.url ?? '';
  return {
    id: row.uuid,
    name: row.name,
    url,
    protocol: url.slice(0, url.indexOf(':')),
    providername: row.provider ?? undefined,
    readonly: row.read_only,
    scope: row.scope,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    disksizetotal: row.capacity_bytes,
    disksizeused: row.used_bytes,
    hasannotations: false,
  };
}

/** @throws Error when there is no such image store */
export async function loadImageStore(executor: Executor, uuid: string): Promise<ImageStoreEntity> {
  const [row] = (await listImageStoreRows(executor, { uuid }, everything)).rows;
  if (!row) throw new Error(`there is no image store ${uuid}`);
  return imageStoreEntity(row);
}

/** A machine that looks after image stores, in the words of CloudStack's secondary storage VMs. */
export function systemVmEntity(row: WorkerRow): EntityOf<typeof systemVmFields> {
  const isUp = row.status === 'Up';
  return {
    id: row.uuid,
    name: row.worker_name,
    systemvmtype: 'secondarystoragevm',
    state: isUp ? 'Running' : 'Stopped',
    agentstate: row.status,
    created: formatDate(row.created),
    ...(row.disconnected ? { disconnected: formatDate(row.disconnected) } : {}),
    hostid: row.uuid,
    hostname: row.name,
    hypervisor: row.hypervisor_type,
    ...(row.private_ip_address === null ? {} : { privateip: row.private_ip_address }),
    ...(row.version === null ? {} : { version: row.version }),
    podid: row.pod_uuid,
    podname: row.pod_name,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    hasannotations: false,
    isdynamicallyscalable: false,
    publicvlan: [],
  };
}
