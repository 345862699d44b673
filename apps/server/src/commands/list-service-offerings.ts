import { formatDate, specs } from '@millrace/api';
import { listOfferingRows } from '../store/offering-list.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';

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
  const list = rows.map((row) => ({
    id: row.uuid,
    name: row.name,
    displaytext: row.display_text,
    cpunumber: row.cpu,
    cpuspeed: row.speed,
    memory: row.ram_size,
    created: formatDate(row.created),
    storagetype: row.storage_type,
    storagetags: row.tags ?? undefined,
    hosttags: row.host_tag ?? undefined,
    provisioningtype: 'thin',
    cacheMode: 'none',
    state: 'Active',
    offerha: row.ha_enabled,
    limitcpuuse: false,
    isvolatile: false,
    issystem: false,
    defaultuse: false,
    iscustomized: false,
    iscustomizediops: false,
    dynamicscalingenabled: false,
    diskofferingstrictness: false,
    encryptroot: false,
    hasannotations: false,
  }));
  return { list, count };
});
