import { specs } from '@millrace/api';
import { allocationsOf, hostsWithLocalPool, listHostRows } from '../store/host-list.ts';
import { readSettings } from '../store/settings.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { hostEntity } from './responses/host.ts';

export const listHosts = implement(specs.listHosts, async ({ params, database }) => {
  const filter = {
    uuid: params.id,
    name: params.name,
    keyword: params.keyword,
    zoneUuid: params.zoneid,
    podUuid: params.podid,
    clusterUuid: params.clusterid,
    type: params.type,
    state: params.state,
    resourceState: params.resourcestate,
    hypervisor: params.hypervisor,
    migrationOfVmUuid: params.virtualmachineid,
  };
  const { rows, count } = await listHostRows(database, filter, await pageFrom(database, params));
  const ids = rows.map((row) => row.id);
  const settings = await readSettings(database);
  const allocations = await allocationsOf(database, ids);
  const withLocalPool = await hostsWithLocalPool(database, ids);
  const list = rows.map((row) => {
    const allocation = allocations.get(row.id);
    const use = {
      cpuMhz: allocation?.cpu_mhz ?? 0,
      memoryBytes: allocation?.memory_bytes ?? 0,
      hasLocalPool: withLocalPool.has(row.id),
    };
    return hostEntity(row, use, settings);
  });
  return { list, count };
});
