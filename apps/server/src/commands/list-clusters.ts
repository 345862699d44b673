import { specs } from '@millrace/api';
import { listClusterRows } from '../store/zone-list.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { clusterEntities, onlyClusterType } from './responses/places.ts';

export const listClusters = implement(specs.listClusters, async ({ params, database }) => {
  const { clustertype } = params;
  if (clustertype !== undefined && clustertype.toLowerCase() !== onlyClusterType.toLowerCase()) {
    return { list: [], count: 0 };
  }
  const filter = {
    uuid: params.id,
    name: params.name,
    keyword: params.keyword,
    zoneUuid: params.zoneid,
    podUuid: params.podid,
    hypervisor: params.hypervisor,
    allocationState: params.allocationstate,
    managedState: params.managedstate,
  };
  const { rows, count } = await listClusterRows(database, filter, await pageFrom(database, params));
  return { list: await clusterEntities(database, rows, { withCapacity: params.showcapacities }), count };
});
