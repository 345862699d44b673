import { specs } from '@millrace/api';
import { implement } from './command.ts';
import { pagedOf } from './page.ts';
import { capacitiesNow, capacityEntity, usedShare } from './responses/capacity.ts';

export const listCapacity = implement(specs.listCapacity, async ({ params, database }) => {
  const { type, zoneid, podid, clusterid, sortby, keyword } = params;
  const rows = await capacitiesNow(database);
  const wanted = rows
    .filter((row) => type === undefined || row.type === type)
    .filter(({ place }) => zoneid === undefined || place.zoneUuid === zoneid)
    .filter(({ place }) => podid === undefined || place.podUuid === podid)
    .filter(({ place }) => clusterid === undefined || place.clusterUuid === clusterid)
    .filter(({ name }) => keyword === undefined || name.includes(keyword.toUpperCase()));
  if (sortby?.toLowerCase() === 'usage') wanted.sort((a, b) => usedShare(b) - usedShare(a));
  return pagedOf(database, wanted.map(capacityEntity), params);
});
