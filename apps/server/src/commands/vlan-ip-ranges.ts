import { ApiError, entityNotFound, invalidParameter, missingParameter, specs } from '@millrace/api';
import { ipv4Number } from '../domain/addresses.ts';
import { cidrOf } from '../domain/places.ts';
import { readVlan } from '../domain/vlan-range.ts';
import { takenAddresses } from '../store/network-list.ts';
import { lockNetwork, type RangeRow, rangeRows } from '../store/networks.ts';
import { implement } from './command.ts';
import { noteNetworkChange } from './network-events.ts';
import { insertRange } from './networks.ts';
import { pagedOf } from './page.ts';
import { reachOf } from './scope.ts';

export const createVlanIpRange = implement(specs.createVlanIpRange, async ({ params, database, caller }) => {
  const { networkid } = params;
  if (networkid === undefined) throw missingParameter('createVlanIpRange', 'networkid');
  return database.transaction().execute(async (trx) => {
    const network = await lockNetwork(trx, networkid, reachOf(caller));
    if (!network) throw entityNotFound('networkid', networkid);
    if (network.guest_type !== 'Shared' || network.kind !== 'bridge')
      throw invalidParameter('networkid', `network ${network.name} takes no ranges of addresses`);
    const uuid = await insertRange(trx, network.id, params);
    await noteNetworkChange(trx, caller, {
      kind: 'VLAN.IP.RANGE',
      type: 'VLAN.IP.RANGE.CREATE',
      description: `gave network ${network.name} the addresses from ${params.startip}`,
      uuid,
    });
    const row = await rangeRows(trx).where('vlan_ip_range.uuid', '=', uuid).executeTakeFirstOrThrow();
    return { object: rangeEntity(row) };
  });
});

export const listVlanIpRanges = implement(specs.listVlanIpRanges, async ({ params, database }) => {
  const vlan = params.vlan === undefined ? undefined : readVlan(params.vlan);
  let query = rangeRows(database);
  if (params.id !== undefined) query = query.where('vlan_ip_range.uuid', '=', params.id);
  if (params.networkid !== undefined) query = query.where('networks.uuid', '=', params.networkid);
  if (params.zoneid !== undefined) query = query.where('data_center.uuid', '=', params.zoneid);
  if (params.physicalnetworkid !== undefined)
    query = query.where('physical_network.uuid', '=', params.physicalnetworkid);
  if (vlan !== undefined)
    query =
      vlan === 'untagged'
        ? query.where('networks.vlan', 'is', null)
        : query.where('networks.vlan', '=', vlan);
  const rows = await query.execute();
  return pagedOf(database, rows.map(rangeEntity), params);
});

export const deleteVlanIpRange = implement(specs.deleteVlanIpRange, async ({ params, database, caller }) => {
  await database.transaction().execute(async (trx) => {
    const row = await rangeRows(trx).where('vlan_ip_range.uuid', '=', params.id).executeTakeFirst();
    if (!row) throw entityNotFound('id', params.id);
    const network = await lockNetwork(trx, row.network_uuid, reachOf(caller));
    if (!network) throw entityNotFound('id', params.id);
    const [from, to] = [ipv4Number(row.start_ip), ipv4Number(row.end_ip)];
    const used = [...(await takenAddresses(trx, network.id))].find(
      (address) => ipv4Number(address) >= from && ipv4Number(address) <= to,
    );
    if (used !== undefined)
      throw new ApiError('RESOURCE_IN_USE_ERROR', `a guest of network ${network.name} has ${used}`);
    await trx.deleteFrom('vlan_ip_range').where('id', '=', row.id).execute();
    await noteNetworkChange(trx, caller, {
      kind: 'VLAN.IP.RANGE',
      type: 'VLAN.IP.RANGE.DELETE',
      description: `took the addresses from ${row.start_ip} to ${row.end_ip} from network ${network.name}`,
      uuid: row.uuid,
    });
  });
  return { success: true };
});

function rangeEntity(row: RangeRow) {
  return {
    id: row.uuid,
    networkid: row.network_uuid,
    physicalnetworkid: row.physical_network_uuid ?? undefined,
    zoneid: row.zone_uuid,
    vlan: `vlan://${row.vlan ?? 'untagged'}`,
    gateway: row.gateway,
    netmask: row.netmask,
    cidr: cidrOf(row.gateway, row.netmask),
    startip: row.start_ip,
    endip: row.end_ip,
    forvirtualnetwork: false,
    forsystemvms: false,
  };
}
