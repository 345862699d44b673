import { randomUUID } from 'node:crypto';
import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import { allocationState, demandSubnet, ipv4Parameter } from '../domain/places.ts';
import { displayableName } from '../domain/template-registration.ts';
import type { Executor } from '../store/database.ts';
import { type EventType, recordEvent } from '../store/events.ts';
import {
  addCrossZoneTemplates,
  isPlaceNameTaken,
  lockPlace,
  type PlaceTable,
  removePlace,
  whatIsIn,
} from '../store/places.ts';
import type { Row } from '../store/schema.ts';
import { type Caller, implement } from './command.ts';
import { loadCluster, loadPod, loadZone, onlyClusterType } from './responses/places.ts';

/** Zones, pods and clusters. What is deleted is locked, so that nothing comes into it meanwhile. */

const words: Readonly<Record<PlaceTable, { readonly word: string; readonly event: string }>> = {
  data_center: { word: 'zone', event: 'ZONE' },
  host_pod_ref: { word: 'pod', event: 'POD' },
  cluster: { word: 'cluster', event: 'CLUSTER' },
};

export const createZone = implement(specs.createZone, async ({ params, database, caller }) => {
  if (params.networktype.toLowerCase() !== 'advanced')
    throw invalidParameter('networktype', 'must be Advanced: there are no security groups');
  const uuid = randomUUID();
  return database.transaction().execute(async (trx) => {
    const name = await freeName(trx, 'data_center', { param: 'name', text: params.name });
    const { id } = await trx
      .insertInto('data_center')
      .values({
        ...defined(zoneColumns(params)),
        uuid,
        name,
        dns1: ipv4Parameter('dns1', params.dns1),
        internal_dns1: ipv4Parameter('internaldns1', params.internaldns1),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await addCrossZoneTemplates(trx, id);
    await note(trx, caller, { table: 'data_center', deed: 'CREATE', name, uuid });
    return { object: await loadZone(trx, uuid) };
  });
});

export const updateZone = implement(specs.updateZone, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const zone = await locked(trx, 'data_center', params.id);
    const changes = defined({
      ...zoneColumns(params),
      name: await newName(trx, 'data_center', zone, { param: 'name', text: params.name }),
      dns1: ipv4Parameter('dns1', params.dns1),
      internal_dns1: ipv4Parameter('internaldns1', params.internaldns1),
      sort_key: params.sortkey,
    });
    await apply(trx, caller, 'data_center', zone, changes);
    return { object: await loadZone(trx, zone.uuid) };
  }),
);

function zoneColumns(params: {
  readonly dns2?: string | undefined;
  readonly internaldns2?: string | undefined;
  readonly localstorageenabled?: boolean | undefined;
  readonly allocationstate?: string | undefined;
  readonly location?: string | undefined;
}) {
  return {
    dns2: ipv4Parameter('dns2', params.dns2),
    internal_dns2: ipv4Parameter('internaldns2', params.internaldns2),
    local_storage_enabled: params.localstorageenabled,
    allocation_state: allocationState(params.allocationstate),
    location: locationLabel(params.location),
  };
}

export const deleteZone = implement(specs.deleteZone, ({ params, database, caller }) =>
  database.transaction().execute((trx) => remove(trx, caller, 'data_center', params.id)),
);

export const createPod = implement(specs.createPod, async ({ params, database, caller }) => {
  const uuid = randomUUID();
  return database.transaction().execute(async (trx) => {
    const zone = await locked(trx, 'data_center', params.zoneid, 'zoneid');
    const name = await freeName(trx, 'host_pod_ref', { param: 'name', text: params.name, parentId: zone.id });
    const columns = podColumns(params);
    demandPodRange(columns);
    await trx
      .insertInto('host_pod_ref')
      .values({ ...defined(columns), uuid, name, data_center_id: zone.id })
      .execute();
    await note(trx, caller, { table: 'host_pod_ref', deed: 'CREATE', name, uuid });
    return { object: await loadPod(trx, uuid) };
  });
});

export const updatePod = implement(specs.updatePod, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const pod = await locked(trx, 'host_pod_ref', params.id);
    const changes = defined({
      ...podColumns(params),
      name: await newName(trx, 'host_pod_ref', pod, {
        param: 'name',
        text: params.name,
        parentId: pod.data_center_id,
      }),
    });
    demandPodRange({ ...pod, ...changes });
    await apply(trx, caller, 'host_pod_ref', pod, changes);
    return { object: await loadPod(trx, pod.uuid) };
  }),
);

function podColumns(params: {
  readonly gateway?: string | undefined;
  readonly netmask?: string | undefined;
  readonly startip?: string | undefined;
  readonly endip?: string | undefined;
  readonly allocationstate?: string | undefined;
  readonly location?: string | undefined;
}) {
  return {
    gateway: ipv4Parameter('gateway', params.gateway),
    netmask: params.netmask,
    start_ip: ipv4Parameter('startip', params.startip),
    end_ip: ipv4Parameter('endip', params.endip),
    allocation_state: allocationState(params.allocationstate),
    location: locationLabel(params.location),
  };
}

function demandPodRange(pod: {
  readonly gateway?: string | null | undefined;
  readonly netmask?: string | null | undefined;
  readonly start_ip?: string | null | undefined;
  readonly end_ip?: string | null | undefined;
}): void {
  const { gateway, netmask } = pod;
  const range = { startIp: pod.start_ip ?? undefined, endIp: pod.end_ip ?? undefined };
  if (gateway && netmask) demandSubnet({ gateway, netmask, ...range });
  else if (gateway || netmask || range.startIp || range.endIp)
    throw invalidParameter('gateway', 'gateway and netmask must be given together, and with a range');
}

export const deletePod = implement(specs.deletePod, ({ params, database, caller }) =>
  database.transaction().execute((trx) => remove(trx, caller, 'host_pod_ref', params.id)),
);

export const addCluster = implement(specs.addCluster, async ({ params, database, caller }) => {
  if (params.hypervisor.toLowerCase() !== 'kvm') throw invalidParameter('hypervisor', 'must be KVM');
  if (params.clustertype.toLowerCase() !== onlyClusterType.toLowerCase())
    throw invalidParameter('clustertype', `must be ${onlyClusterType}`);
  const uuid = randomUUID();
  return database.transaction().execute(async (trx) => {
    const zone = await locked(trx, 'data_center', params.zoneid, 'zoneid');
    const pod = await locked(trx, 'host_pod_ref', params.podid, 'podid');
    if (pod.data_center_id !== zone.id)
      throw invalidParameter('podid', `pod ${pod.name} is not in zone ${zone.name}`);
    const wanted = { param: 'clustername', text: params.clustername, parentId: pod.id };
    const name = await freeName(trx, 'cluster', wanted);
    await trx
      .insertInto('cluster')
      .values({
        ...defined({
          allocation_state: allocationState(params.allocationstate),
          location: locationLabel(params.location),
        }),
        uuid,
        name,
        pod_id: pod.id,
        data_center_id: zone.id,
      })
      .execute();
    await note(trx, caller, { table: 'cluster', deed: 'CREATE', name, uuid });
    return { list: [await loadCluster(trx, uuid)], count: 1 };
  });
});

export const updateCluster = implement(specs.updateCluster, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const cluster = await locked(trx, 'cluster', params.id);
    const wanted = { param: 'clustername', text: params.clustername, parentId: cluster.pod_id };
    const changes = defined({
      name: await newName(trx, 'cluster', cluster, wanted),
      allocation_state: allocationState(params.allocationstate),
      location: locationLabel(params.location),
    });
    await apply(trx, caller, 'cluster', cluster, changes);
    return { object: await loadCluster(trx, cluster.uuid) };
  }),
);

export const deleteCluster = implement(specs.deleteCluster, ({ params, database, caller }) =>
  database.transaction().execute((trx) => remove(trx, caller, 'cluster', params.id)),
);

async function locked<T extends PlaceTable>(
  trx: Executor,
  table: T,
  uuid: string,
  param = 'id',
): Promise<Row<T>> {
  const row = await lockPlace(trx, table, uuid);
  if (!row) throw entityNotFound(param, uuid);
  return row;
}

interface WantedName {
  readonly param: string;
  readonly text: string;
  readonly parentId?: number;
}

async function freeName(trx: Executor, table: PlaceTable, wanted: WantedName): Promise<string> {
  const name = displayableName(wanted.param, wanted.text);
  if (await isPlaceNameTaken(trx, table, name, wanted.parentId))
    throw invalidParameter(wanted.param, `there is a ${words[table].word} ${name} already`);
  return name;
}

async function newName(
  trx: Executor,
  table: PlaceTable,
  row: { readonly name: string },
  wanted: Omit<WantedName, 'text'> & { readonly text: string | undefined },
): Promise<string | undefined> {
  const { text } = wanted;
  if (text === undefined || text.trim().toLowerCase() === row.name.toLowerCase()) return text?.trim();
  return freeName(trx, table, { ...wanted, text });
}

/** As metalinks write it (RFC 5854 §4.2.16.1: ISO 3166-1), or a label that only this cloud knows. */
function locationLabel(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)) return text.toLowerCase();
  throw invalidParameter('location', 'must be a label of letters, digits and . _ - like ch or basel-2');
}

function defined<T extends object>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  // only what is there stays
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

async function apply(
  trx: Executor,
  caller: Caller,
  table: PlaceTable,
  row: { readonly id: number; readonly uuid: string; readonly name: string },
  changes: object,
): Promise<void> {
  if (Object.keys(changes).length === 0) return;
  await trx.updateTable(table).set(changes).where('id', '=', row.id).execute();
  await note(trx, caller, { table, deed: 'EDIT', name: row.name, uuid: row.uuid });
}

async function remove(
  trx: Executor,
  caller: Caller,
  table: PlaceTable,
  uuid: string,
): Promise<{ success: true }> {
  const row = await locked(trx, table, uuid);
  const left = await whatIsIn(trx, table, row.id);
  if (left !== undefined)
    throw new ApiError(
      'RESOURCE_IN_USE_ERROR',
      `${words[table].word} ${row.name} has ${left}: remove it first`,
    );
  await removePlace(trx, table, row.id);
  await note(trx, caller, { table, deed: 'DELETE', name: row.name, uuid });
  return { success: true };
}

async function note(
  trx: Executor,
  caller: Caller,
  done: {
    readonly table: PlaceTable;
    readonly deed: 'CREATE' | 'EDIT' | 'DELETE';
    readonly name: string;
    readonly uuid: string;
  },
): Promise<void> {
  const { word, event } = words[done.table];
  const said = { CREATE: 'made', EDIT: 'changed', DELETE: 'deleted' }[done.deed];
  await recordEvent(trx, {
    type: `${event}.${done.deed}` as EventType,
    description: `${said} ${word} ${done.name}`,
    userId: caller.userId,
    accountId: caller.accountId,
    resourceType: word[0]!.toUpperCase() + word.slice(1),
    resourceUuid: done.uuid,
  });
}
