import { specs } from '@millrace/api';
import { listPodRows } from '../store/zone-list.ts';
import { implement } from './command.ts';
import { capacityTeller } from './list-capacity.ts';
import { pageFrom } from './page.ts';

export const listPods = implement(specs.listPods, async ({ params, database }) => {
  const filter = {
    uuid: params.id,
    name: params.name,
    keyword: params.keyword,
    zoneUuid: params.zoneid,
    allocationState: params.allocationstate,
  };
  const { rows, count } = await listPodRows(database, filter, await pageFrom(database, params));
  const capacity = params.showcapacities ? await capacityTeller(database) : undefined;
  const list = rows.map((row) => ({
    id: row.uuid,
    name: row.name,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    gateway: row.gateway ?? undefined,
    netmask: row.netmask ?? undefined,
    startip: row.start_ip === null ? [] : [row.start_ip],
    endip: row.end_ip === null ? [] : [row.end_ip],
    allocationstate: row.allocation_state,
    ...(capacity ? { capacity: capacity(row.uuid) } : {}),
    hasannotations: false,
  }));
  return { list, count };
});
