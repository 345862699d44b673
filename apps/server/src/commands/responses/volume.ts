import { type EntityOf, formatDate, type volumeFields } from '@millrace/api';
import type { Executor } from '../../store/database.ts';
import { everything } from '../../store/paging.ts';
import { listVolumeRows, type VolumeRow } from '../../store/volumes.ts';
import { displayedDomainPath } from './domain-path.ts';
import { tagTeller } from './tag.ts';

export type VolumeEntity = EntityOf<typeof volumeFields>;

/**
 * A volume as the API shows it to a root admin.
 * @throws Error when there is no such row
 */
export async function loadVolume(executor: Executor, volumeId: number): Promise<VolumeEntity> {
  const filter = { scope: { kind: 'everything' }, volumeIds: [volumeId], removed: true } as const;
  const [row] = (await listVolumeRows(executor, filter, everything)).rows;
  if (!row) throw new Error(`there is no volume ${volumeId}`);
  const [entity] = await volumeEntities(executor, [row], true);
  return entity!;
}

export async function volumeEntities(
  executor: Executor,
  rows: readonly VolumeRow[],
  forAdmin: boolean,
): Promise<VolumeEntity[]> {
  const tags = await tagTeller(
    executor,
    rows.map(({ uuid }) => uuid),
  );
  return rows.map((row) => ({ ...volumeEntity(row, forAdmin), tags: tags(row.uuid) }));
}

function volumeEntity(row: VolumeRow, forAdmin: boolean): VolumeEntity {
  return {
    id: row.uuid,
    name: row.name,
    type: row.volume_type,
    state: row.state,
    size: row.size,
    virtualsize: row.size,
    physicalsize: row.physical_size ?? undefined,
    deviceid: row.device_id,
    created: formatDate(row.created),
    attached: row.attached ? formatDate(row.attached) : undefined,
    account: row.account_name,
    domainid: row.domain_uuid,
    domain: row.domain_name,
    domainpath: displayedDomainPath(row.domain_path),
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    hypervisor: 'KVM',
    storagetype: row.pool_scope === 'HOST' || row.pool_scope === null ? 'local' : 'shared',
    provisioningtype: 'thin',
    displayvolume: true,
    destroyed: row.state === 'Destroy',
    isextractable: false,
    quiescevm: false,
    supportsstoragesnapshot: false,
    hasannotations: false,
    ...machinePart(row),
    ...(forAdmin ? placementPart(row) : {}),
  };
}

function machinePart(row: VolumeRow): VolumeEntity {
  return {
    virtualmachineid: row.vm_uuid ?? undefined,
    vmname: row.vm_name ?? undefined,
    vmdisplayname: row.vm_display_name ?? undefined,
    vmstate: row.vm_state ?? undefined,
    vmtype: row.vm_uuid ? 'User' : undefined,
    diskofferingid: row.disk_offering_uuid ?? undefined,
    diskofferingname: row.disk_offering_name ?? undefined,
    diskofferingdisplaytext: row.disk_offering_display_text ?? undefined,
    templateid: row.template_uuid ?? undefined,
    templatename: row.template_name ?? undefined,
    templatedisplaytext: row.template_display_text ?? undefined,
    serviceofferingid: row.offering_uuid ?? undefined,
    serviceofferingname: row.offering_name ?? undefined,
    serviceofferingdisplaytext: row.offering_display_text ?? undefined,
  };
}

function placementPart(row: VolumeRow): VolumeEntity {
  return {
    path: row.path ?? undefined,
    storageid: row.pool_uuid ?? undefined,
    storage: row.pool_name ?? undefined,
    clusterid: row.cluster_uuid ?? undefined,
    clustername: row.cluster_name ?? undefined,
    podid: row.pod_uuid ?? undefined,
    podname: row.pod_name ?? undefined,
  };
}
