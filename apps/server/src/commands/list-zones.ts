import { specs } from '@millrace/api';
import { listZoneRows } from '../store/zone-list.ts';
import { implement } from './command.ts';
import { idsFrom, pageFrom } from './page.ts';
import { zoneEntities } from './responses/places.ts';

export const listZones = implement(specs.listZones, async ({ params, database, caller }) => {
  const filter = {
    uuids: idsFrom(params),
    name: params.name,
    keyword: params.keyword,
    networkType: params.networktype,
  };
  const { rows, count } = await listZoneRows(database, filter, await pageFrom(database, params));
  const shown = { forAdmin: caller.role === 'admin', withCapacity: params.showcapacities };
  return { list: await zoneEntities(database, rows, shown), count };
});
