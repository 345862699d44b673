import { specs } from '@millrace/api';
import { listPodRows } from '../store/zone-list.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { podEntities } from './responses/places.ts';

export const listPods = implement(specs.listPods, async ({ params, database }) => {
  const filter = {
    uuid: params.id,
    name: params.name,
    keyword: params.keyword,
    zoneUuid: params.zoneid,
    allocationState: params.allocationstate,
  };
  const { rows, count } = await listPodRows(database, filter, await pageFrom(database, params));
  return { list: await podEntities(database, rows, { withCapacity: params.showcapacities }), count };
});
