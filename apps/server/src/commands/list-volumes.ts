import { entityNotFound, isUuid, specs } from '@millrace/api';
import { listVolumeRows } from '../store/volumes.ts';
import { implement } from './command.ts';
import { idsFrom, pageFrom } from './page.ts';
import { volumeEntities } from './responses/volume.ts';
import { listScope } from './scope.ts';

export const listVolumes = implement(specs.listVolumes, async ({ params, database, caller }) => {
  const { storageid } = params;
  if (storageid !== undefined && !isUuid(storageid)) throw entityNotFound('storageid', storageid);
  const uuids = idsFrom(params);
  const filter = {
    // an instance names its volumes as an id would: whoever may see the one may see the others
    scope: await listScope(
      database,
      caller,
      params,
      uuids !== undefined || params.virtualmachineid !== undefined,
    ),
    uuids,
    name: params.name,
    keyword: params.keyword,
    type: params.type,
    state: params.state,
    vmUuid: params.virtualmachineid,
    zoneUuid: params.zoneid,
    podUuid: params.podid,
    clusterUuid: params.clusterid,
    hostUuid: params.hostid,
    poolUuid: storageid,
    diskOfferingUuid: params.diskofferingid,
    tags: params.tags,
  };
  const { rows, count } = await listVolumeRows(database, filter, await pageFrom(database, params));
  return { list: await volumeEntities(database, rows, caller.role === 'admin'), count };
});
