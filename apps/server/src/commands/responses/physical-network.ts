import type {
  EntityOf,
  physicalNetworkFields,
  serviceProviderFields,
  trafficTypeFields,
} from '@millrace/api';
import type { Executor } from '../../store/database.ts';

export function physicalNetworkRows(executor: Executor) {
  return executor
    .selectFrom('physical_network')
    .innerJoin('data_center', 'data_center.id', 'physical_network.data_center_id')
    .where('physical_network.removed', 'is', null)
    .selectAll('physical_network')
    .select(['data_center.uuid as zone_uuid', 'data_center.name as zone_name'])
    .orderBy('physical_network.id');
}

type PhysicalNetworkRow = Awaited<ReturnType<ReturnType<typeof physicalNetworkRows>['execute']>>[number];

export function physicalNetworkEntity(row: PhysicalNetworkRow): EntityOf<typeof physicalNetworkFields> {
  return {
    id: row.uuid,
    name: row.name,
    broadcastdomainrange: 'ZONE',
    isolationmethods: 'VLAN',
    networkspeed: row.speed ?? undefined,
    state: row.state,
    tags: row.tags ?? undefined,
    vlan: row.vlan_range ?? undefined,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
  };
}

export function trafficTypeEntity(row: {
  readonly uuid: string;
  readonly traffic_type: string;
  readonly network_uuid: string;
  readonly kvm_network_label: string | null;
}): EntityOf<typeof trafficTypeFields> {
  return {
    id: row.uuid,
    traffictype: row.traffic_type,
    physicalnetworkid: row.network_uuid,
    kvmnetworklabel: row.kvm_network_label ?? undefined,
  };
}

/** Who serves guests: nobody has to be enabled for it. */
export const provider = {
  name: 'ConfigDrive',
  state: 'Enabled',
  servicelist: ['Dhcp', 'Dns', 'UserData'],
  canenableindividualservice: false,
};

/** Each physical network has the one provider, which goes by the network's ID. */
export function serviceProviderEntity(networkUuid: string): EntityOf<typeof serviceProviderFields> {
  return { ...provider, id: networkUuid, physicalnetworkid: networkUuid };
}

/** @throws Error when there is no such physical network */
export async function loadPhysicalNetwork(executor: Executor, uuid: string) {
  const row = await physicalNetworkRows(executor)
    .where('physical_network.uuid', '=', uuid)
    .executeTakeFirstOrThrow();
  return physicalNetworkEntity(row);
}

/** @throws Error when there is no such traffic type */
export async function loadTrafficType(executor: Executor, uuid: string) {
  const row = await executor
    .selectFrom('physical_network_traffic_type as traffic')
    .innerJoin('physical_network', 'physical_network.id', 'traffic.physical_network_id')
    .where('traffic.uuid', '=', uuid)
    .selectAll('traffic')
    .select('physical_network.uuid as network_uuid')
    .executeTakeFirstOrThrow();
  return trafficTypeEntity(row);
}
