import { specs } from '@millrace/api';
import { listOfferingRows } from '../store/offering-list.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { serviceOfferingEntity } from './responses/service-offering.ts';

export const listServiceOfferings = implement(specs.listServiceOfferings, async ({ params, database }) => {
  const filter = {
    uuid: params.id,
    name: params.name,
    keyword: params.keyword,
    cpus: params.cpunumber,
    cpuMhz: params.cpuspeed,
    memoryMiB: params.memory,
    storageType: params.storagetype,
  };
  const { rows, count } = await listOfferingRows(database, filter, await pageFrom(database, params));
  return { list: rows.map(serviceOfferingEntity), count };
});
