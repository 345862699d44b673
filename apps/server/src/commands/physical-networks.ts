import { randomUUID } from 'node:crypto';
import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import { displayableName } from '../domain/template-registration.ts';
import { parseVlanRange } from '../domain/vlan-range.ts';
import type { JobCommand, JobParameters, JobQueue } from '../jobs/queue.ts';
import type { Executor } from '../store/database.ts';
import { containing } from '../store/owner-scope.ts';
import { pageOf } from '../store/paging.ts';
import { lockPlace } from '../store/places.ts';
import type { Row } from '../store/schema.ts';
import { type Caller, implement } from './command.ts';
import { noteNetworkChange } from './network-events.ts';
import { pagedOf, pageFrom } from './page.ts';
import {
  physicalNetworkEntity,
  physicalNetworkRows,
  provider,
  serviceProviderEntity,
  trafficTypeEntity,
} from './responses/physical-network.ts';
import { tagList } from './storage-tags.ts';

const trafficTypes = ['Guest', 'Management', 'Public', 'Storage'];

export const createPhysicalNetwork = implement(
  specs.createPhysicalNetwork,
  async ({ params, database, jobs, caller }) => {
    const uuid = randomUUID();
    const jobId = await database.transaction().execute(async (trx) => {
      const zone = await lockPlace(trx, 'data_center', params.zoneid);
      if (!zone) throw entityNotFound('zoneid', params.zoneid);
      const name = displayableName('name', params.name);
      await trx
        .insertInto('physical_network')
        .values({
          uuid,
          name,
          data_center_id: zone.id,
          vlan_range: vlanRange(params.vlan) ?? null,
          speed: params.networkspeed ?? null,
          tags: tagList('tags', params.tags ?? []),
        })
        .execute();
      await noteNetworkChange(trx, caller, {
        kind: 'PHYSICAL.NETWORK',
        type: 'PHYSICAL.NETWORK.CREATE',
        description: `made physical network ${name} in zone ${zone.name}`,
        uuid,
      });
      return answer(jobs, trx, caller, 'createPhysicalNetwork', { networkUuid: uuid });
    });
    return { jobId, entityId: uuid };
  },
);

export const listPhysicalNetworks = implement(specs.listPhysicalNetworks, async ({ params, database }) => {
  let query = physicalNetworkRows(database);
  if (params.id !== undefined) query = query.where('physical_network.uuid', '=', params.id);
  if (params.name !== undefined) query = query.where('physical_network.name', '=', params.name);
  if (params.zoneid !== undefined) query = query.where('data_center.uuid', '=', params.zoneid);
  if (params.keyword !== undefined)
    query = query.where('physical_network.name', 'ilike', containing(params.keyword));
  const { rows, count } = await pageOf(query, await pageFrom(database, params));
  return { list: rows.map(physicalNetworkEntity), count };
});

export const updatePhysicalNetwork = implement(
  specs.updatePhysicalNetwork,
  async ({ params, database, jobs, caller }) => {
    const { state } = params;
    const word = ['Enabled', 'Disabled'].find((name) => name.toLowerCase() === state?.toLowerCase());
    if (state !== undefined && word === undefined)
      throw invalidParameter('state', 'must be Enabled or Disabled');
    const jobId = await database.transaction().execute(async (trx) => {
      const network = await lockedPhysicalNetwork(trx, params.id);
      const changes = Object.fromEntries(
        Object.entries({
          vlan_range: vlanRange(params.vlan),
          speed: params.networkspeed,
          tags: params.tags === undefined ? undefined : tagList('tags', params.tags),
          state: word,
        }).filter(([, value]) => value !== undefined),
      );
      if (Object.keys(changes).length > 0)
        await trx.updateTable('physical_network').set(changes).where('id', '=', network.id).execute();
      await noteNetworkChange(trx, caller, {
        kind: 'PHYSICAL.NETWORK',
        type: 'PHYSICAL.NETWORK.UPDATE',
        description: `changed physical network ${network.name}`,
        uuid: network.uuid,
      });
      return answer(jobs, trx, caller, 'updatePhysicalNetwork', { networkUuid: network.uuid });
    });
    return { jobId };
  },
);

export const deletePhysicalNetwork = implement(
  specs.deletePhysicalNetwork,
  async ({ params, database, jobs, caller }) => {
    const jobId = await database.transaction().execute(async (trx) => {
      const network = await lockedPhysicalNetwork(trx, params.id);
      const used = await trx
        .selectFrom('networks')
        .select('name')
        .where('physical_network_id', '=', network.id)
        .where('removed', 'is', null)
        .executeTakeFirst();
      if (used)
        throw new ApiError(
          'RESOURCE_IN_USE_ERROR',
          `physical network ${network.name} has the network ${used.name}: delete it first`,
        );
      await trx
        .updateTable('physical_network')
        .set({ removed: new Date() })
        .where('id', '=', network.id)
        .execute();
      await noteNetworkChange(trx, caller, {
        kind: 'PHYSICAL.NETWORK',
        type: 'PHYSICAL.NETWORK.DELETE',
        description: `deleted physical network ${network.name}`,
        uuid: network.uuid,
      });
      return answer(jobs, trx, caller, 'deletePhysicalNetwork', {});
    });
    return { jobId };
  },
);

export const addTrafficType = implement(specs.addTrafficType, async ({ params, database, jobs, caller }) => {
  const type = trafficTypes.find((name) => name.toLowerCase() === params.traffictype.toLowerCase());
  if (!type) throw invalidParameter('traffictype', `must be one of ${trafficTypes.join(', ')}`);
  const label = params.kvmnetworklabel;
  if (label !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/.test(label))
    throw invalidParameter(
      'kvmnetworklabel',
      'must be the name of a network device: up to 15 letters, digits and . _ -',
    );
  if (type === 'Guest' && label === undefined)
    throw invalidParameter(
      'kvmnetworklabel',
      'must be given for guests: the bridge, or for VLANs the card, of the hosts',
    );
  const uuid = randomUUID();
  const jobId = await database.transaction().execute(async (trx) => {
    const network = await lockedPhysicalNetwork(trx, params.physicalnetworkid, 'physicalnetworkid');
    const inserted = await trx
      .insertInto('physical_network_traffic_type')
      .values({ uuid, physical_network_id: network.id, traffic_type: type, kvm_network_label: label ?? null })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (inserted.numInsertedOrUpdatedRows === 0n)
      throw invalidParameter('traffictype', `physical network ${network.name} carries ${type} already`);
    await noteNetworkChange(trx, caller, {
      kind: 'TRAFFIC.TYPE',
      type: 'TRAFFIC.TYPE.CREATE',
      description: `physical network ${network.name} carries ${type}`,
      uuid,
    });
    return answer(jobs, trx, caller, 'addTrafficType', { trafficTypeUuid: uuid });
  });
  return { jobId, entityId: uuid };
});

export const listTrafficTypes = implement(specs.listTrafficTypes, async ({ params, database }) => {
  const rows = await database
    .selectFrom('physical_network_traffic_type as traffic')
    .innerJoin('physical_network', 'physical_network.id', 'traffic.physical_network_id')
    .where('physical_network.uuid', '=', params.physicalnetworkid)
    .selectAll('traffic')
    .select('physical_network.uuid as network_uuid')
    .orderBy('traffic.id')
    .execute();
  const list = rows.map((row) => ({ ...trafficTypeEntity(row), name: row.traffic_type, state: 'Enabled' }));
  return pagedOf(database, list, params);
});

export const listNetworkServiceProviders = implement(
  specs.listNetworkServiceProviders,
  async ({ params, database }) => {
    const { name, physicalnetworkid, state } = params;
    const fits =
      (name === undefined || name.toLowerCase() === provider.name.toLowerCase()) &&
      (state === undefined || state.toLowerCase() === provider.state.toLowerCase());
    let query = physicalNetworkRows(database);
    if (physicalnetworkid !== undefined) query = query.where('physical_network.uuid', '=', physicalnetworkid);
    const rows = fits ? await query.execute() : [];
    return pagedOf(
      database,
      rows.map((row) => serviceProviderEntity(row.uuid)),
      params,
    );
  },
);

export const listSupportedNetworkServices = implement(
  specs.listSupportedNetworkServices,
  async ({ params, database }) => {
    const { provider: wanted, service } = params;
    const list = provider.servicelist
      .filter((name) => service === undefined || name.toLowerCase() === service.toLowerCase())
      .filter(() => wanted === undefined || wanted.toLowerCase() === provider.name.toLowerCase())
      .map((name) => ({ name, provider: [provider], capability: [] }));
    return pagedOf(database, list, params);
  },
);

function vlanRange(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  parseVlanRange(text);
  return text;
}

export async function lockedPhysicalNetwork(
  trx: Executor,
  uuid: string,
  param = 'id',
): Promise<Row<'physical_network'>> {
  const network = await trx
    .selectFrom('physical_network')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('removed', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (!network) throw entityNotFound(param, uuid);
  return network;
}

type Answered = Extract<
  JobCommand,
  'createPhysicalNetwork' | 'updatePhysicalNetwork' | 'deletePhysicalNetwork' | 'addTrafficType'
>;

async function answer<C extends Answered>(
  jobs: JobQueue,
  trx: Executor,
  caller: Caller,
  command: C,
  parameters: JobParameters[C],
): Promise<string> {
  return jobs.enqueue(trx, {
    command,
    parameters,
    userId: caller.userId,
    accountId: caller.accountId,
    instanceType: 'PhysicalNetwork',
    instanceUuid: randomUUID(),
  });
}
