import { specs } from '@millrace/api';
import { listStoragePoolRows } from '../store/storage-pool-list.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { storagePoolEntities } from './responses/storage-pool.ts';

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
  return { list: await storagePoolEntities(database, rows), count };
});
