import { specs } from '@millrace/api';
import { overCommitByCluster } from '../store/cluster-details.ts';
import { readSettings } from '../store/settings.ts';
import { listClusterRows } from '../store/zone-list.ts';
import { implement } from './command.ts';
import { capacityTeller } from './list-capacity.ts';
import { pageFrom } from './page.ts';

/** Every cluster is made and run by the cloud; CloudStack knows others too. */
const onlyClusterType = 'CloudManaged';

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
  const settings = await readSettings(database);
  const overCommits = await overCommitByCluster(database);
  const capacity = params.showcapacities ? await capacityTeller(database) : undefined;
  const list = rows.map((row) => ({
    id: row.uuid,
    name: row.name,
    podid: row.pod_uuid,
    podname: row.pod_name,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    hypervisortype: row.hypervisor_type,
    clustertype: onlyClusterType,
    allocationstate: row.allocation_state,
    managedstate: row.managed_state,
    cpuovercommitratio: (overCommits.get(row.id)?.cpu ?? settings['cpu.overprovisioning.factor']).toFixed(1),
    memoryovercommitratio: (
      overCommits.get(row.id)?.memory ?? settings['mem.overprovisioning.factor']
    ).toFixed(1),
    ...(capacity ? { capacity: capacity(row.uuid) } : {}),
    hasannotations: false,
  }));
  return { list, count };
});
