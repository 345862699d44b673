import { type EntityOf, formatDate, type serviceOfferingFields } from '@millrace/api';
import type { Row } from '../../store/schema.ts';

export function serviceOfferingEntity(row: Row<'service_offering'>): EntityOf<typeof serviceOfferingFields> {
  return {
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
    offerha: false,
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
  };
}
