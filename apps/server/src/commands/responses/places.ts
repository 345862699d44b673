import type { clusterFields, EntityOf, podFields, zoneFields } from '@millrace/api';
import { overCommitByCluster } from '../../store/cluster-details.ts';
import type { Executor } from '../../store/database.ts';
import { everything } from '../../store/paging.ts';
import type { Row } from '../../store/schema.ts';
import { readSettings } from '../../store/settings.ts';
import {
  type ClusterRow,
  listClusterRows,
  listPodRows,
  listZoneRows,
  type PodRow,
} from '../../store/zone-list.ts';
import { capacityTeller } from './capacity.ts';

/** Every cluster is made and run by the cloud; CloudStack knows others too. */
export const onlyClusterType = 'CloudManaged';

interface Shown {
  readonly forAdmin?: boolean;
  readonly withCapacity?: boolean | undefined;
}

export async function zoneEntities(
  executor: Executor,
  rows: readonly Row<'data_center'>[],
  { forAdmin = true, withCapacity = false }: Shown = {},
): Promise<EntityOf<typeof zoneFields>[]> {
  const capacity = forAdmin && withCapacity ? await capacityTeller(executor) : undefined;
  return rows.map((row) => ({
    id: row.uuid,
    name: row.name,
    networktype: row.networktype,
    dns1: row.dns1,
    dns2: row.dns2 ?? undefined,
    ...(forAdmin ? { internaldns1: row.internal_dns1, internaldns2: row.internal_dns2 ?? undefined } : {}),
    allocationstate: row.allocation_state,
    localstorageenabled: row.local_storage_enabled,
    securitygroupsenabled: false,
    allowuserspecifyvrmtu: false,
    location: row.location ?? undefined,
    ...(capacity ? { capacity: capacity(row.uuid) } : {}),
    hasannotations: false,
    tags: [],
  }));
}

export async function podEntities(
  executor: Executor,
  rows: readonly PodRow[],
  { withCapacity = false }: Shown = {},
): Promise<EntityOf<typeof podFields>[]> {
  const capacity = withCapacity ? await capacityTeller(executor) : undefined;
  return rows.map((row) => ({
    id: row.uuid,
    name: row.name,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    gateway: row.gateway ?? undefined,
    netmask: row.netmask ?? undefined,
    startip: row.start_ip === null ? [] : [row.start_ip],
    endip: row.end_ip === null ? [] : [row.end_ip],
    allocationstate: row.allocation_state,
    location: row.location ?? undefined,
    ...(capacity ? { capacity: capacity(row.uuid) } : {}),
    hasannotations: false,
  }));
}

export async function clusterEntities(
  executor: Executor,
  rows: readonly ClusterRow[],
  { withCapacity = false }: Shown = {},
): Promise<EntityOf<typeof clusterFields>[]> {
  const settings = await readSettings(executor);
  const overCommits = await overCommitByCluster(executor);
  const capacity = withCapacity ? await capacityTeller(executor) : undefined;
  return rows.map((row) => {
    const own = overCommits.get(row.id);
    return {
      id: row.uuid,
      name: row.name,
      podid: row.pod_uuid,
      podname: row.pod_name,
      zoneid: row.zone_uuid,
      zonename: row.zone_name,
      hypervisortype: row.hypervisor_type,
      clustertype: onlyClusterType,
      allocationstate: row.allocation_state,
      managedstate: row.managed_state,
      cpuovercommitratio: (own?.cpu ?? settings['cpu.overprovisioning.factor']).toFixed(1),
      memoryovercommitratio: (own?.memory ?? settings['mem.overprovisioning.factor']).toFixed(1),
      location: row.location ?? undefined,
      ...(capacity ? { capacity: capacity(row.uuid) } : {}),
      hasannotations: false,
    };
  });
}

/** @throws Error when there is no such zone */
export async function loadZone(executor: Executor, uuid: string) {
  const { rows } = await listZoneRows(executor, { uuids: [uuid] }, everything);
  return only(await zoneEntities(executor, rows), uuid);
}

export async function loadPod(executor: Executor, uuid: string) {
  return only(await podEntities(executor, (await listPodRows(executor, { uuid }, everything)).rows), uuid);
}

export async function loadCluster(executor: Executor, uuid: string) {
  const { rows } = await listClusterRows(executor, { uuid }, everything);
  return only(await clusterEntities(executor, rows), uuid);
}

function only<T>(entities: readonly T[], uuid: string): T {
  const [entity] = entities;
  if (!entity) throw new Error(`there is no place ${uuid}`);
  return entity;
}
