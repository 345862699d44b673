import { specs } from '@millrace/api';
import { listZoneRows } from '../store/zone-list.ts';
import { implement } from './command.ts';
import { capacityTeller } from './list-capacity.ts';
import { idsFrom, pageFrom } from './page.ts';

export const listZones = implement(specs.listZones, async ({ params, database, caller }) => {
  const filter = {
    uuids: idsFrom(params),
    name: params.name,
    keyword: params.keyword,
    networkType: params.networktype,
  };
  const { rows, count } = await listZoneRows(database, filter, await pageFrom(database, params));
  const capacity =
    caller.role === 'admin' && params.showcapacities ? await capacityTeller(database) : undefined;
  const list = rows.map((row) => ({
    id: row.uuid,
    name: row.name,
    networktype: row.networktype,
    dns1: row.dns1,
    ...(caller.role === 'admin' ? { internaldns1: row.internal_dns1 } : {}),
    allocationstate: row.allocation_state,
    localstorageenabled: row.local_storage_enabled,
    securitygroupsenabled: false,
    allowuserspecifyvrmtu: false,
    ...(capacity ? { capacity: capacity(row.uuid) } : {}),
    hasannotations: false,
    tags: [],
  }));
  return { list, count };
});
