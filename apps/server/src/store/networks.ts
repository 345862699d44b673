import type { BridgedNetwork, NetworkDefinition } from '@millrace/agent-protocol';
import { type RawBuilder, sql } from 'kysely';
import type { Executor } from './database.ts';
import { type OwnerScope, ownedBy } from './owner-scope.ts';
import type { Row } from './schema.ts';

/** The condition that an account of the scope may use a network, for a query that has `networks`. */
export function networkUsableBy(scope: OwnerScope): RawBuilder<boolean> {
  if (scope.kind === 'everything') return sql<boolean>`true`;
  // its account and domain hide those of the network
  return sql<boolean>`exists (select from account join domain on domain.id = account.domain_id
    where account.removed is null and ${ownedBy(scope)} and case networks.acl_type
      when 'Account' then networks.account_id = account.id
      else networks.domain_id is null or domain.id = networks.domain_id or (networks.subdomain_access
        and starts_with(domain.path, (select own.path from domain as own where own.id = networks.domain_id)))
    end)`;
}

/** A network that the caller may change, locked: an account's own, or any for a root admin. */
export async function lockNetwork(
  executor: Executor,
  uuid: string,
  scope: OwnerScope,
): Promise<Row<'networks'> | undefined> {
  let query = executor
    .selectFrom('networks')
    .selectAll('networks')
    .where('networks.uuid', '=', uuid)
    .where('networks.removed', 'is', null);
  if (scope.kind !== 'everything')
    query = query
      .innerJoin('account', 'account.id', 'networks.account_id')
      .innerJoin('domain', 'domain.id', 'account.domain_id')
      .where('networks.acl_type', '=', 'Account')
      .where(ownedBy(scope));
  return query.forUpdate('networks').executeTakeFirst();
}

/** The physical networks of a zone that carry guests' traffic, with what hosts call them. */
export async function guestNetworksOf(executor: Executor, zoneId: number) {
  return executor
    .selectFrom('physical_network')
    .innerJoin(
      'physical_network_traffic_type as traffic',
      'traffic.physical_network_id',
      'physical_network.id',
    )
    .where('physical_network.data_center_id', '=', zoneId)
    .where('physical_network.removed', 'is', null)
    .where('traffic.traffic_type', '=', 'Guest')
    .selectAll('physical_network')
    .select('traffic.kvm_network_label')
    .orderBy('physical_network.id')
    .execute();
}

export async function vlansInUse(executor: Executor, physicalNetworkId: number): Promise<Set<number>> {
  const rows = await executor
    .selectFrom('networks')
    .select('vlan')
    .where('physical_network_id', '=', physicalNetworkId)
    .where('removed', 'is', null)
    .where('vlan', 'is not', null)
    .execute();
  return new Set(rows.flatMap(({ vlan }) => vlan ?? []));
}

export interface AddressRange {
  readonly gateway: string;
  readonly netmask: string;
  readonly start_ip: string;
  readonly end_ip: string;
}

/** Where the addresses of a network's guests come from. A network behind NAT has one range, L2 networks none. */
export async function rangesOf(
  executor: Executor,
  network: Row<'networks'>,
): Promise<readonly AddressRange[]> {
  const { gateway, netmask, start_ip, end_ip } = network;
  if (gateway !== null && netmask !== null && start_ip !== null && end_ip !== null)
    return [{ gateway, netmask, start_ip, end_ip }];
  return executor
    .selectFrom('vlan_ip_range')
    .selectAll()
    .where('network_id', '=', network.id)
    .orderBy('id')
    .execute();
}

/** How many instances have a card in a network. */
export async function countCards(executor: Executor, networkId: number): Promise<number> {
  const row = await executor
    .selectFrom('nics')
    .select(sql<number>`count(*)`.as('count'))
    .where('network_id', '=', networkId)
    .where('removed', 'is', null)
    .executeTakeFirstOrThrow();
  return row.count;
}

/** Ranges with the network, zone and VLAN they are of. */
export function rangeRows(executor: Executor) {
  return executor
    .selectFrom('vlan_ip_range')
    .innerJoin('networks', 'networks.id', 'vlan_ip_range.network_id')
    .innerJoin('data_center', 'data_center.id', 'networks.data_center_id')
    .leftJoin('physical_network', 'physical_network.id', 'networks.physical_network_id')
    .where('networks.removed', 'is', null)
    .selectAll('vlan_ip_range')
    .select([
      'networks.uuid as network_uuid',
      'networks.vlan',
      'data_center.uuid as zone_uuid',
      'physical_network.uuid as physical_network_uuid',
    ])
    .orderBy('vlan_ip_range.id');
}

export type RangeRow = Awaited<ReturnType<ReturnType<typeof rangeRows>['execute']>>[number];

/** @throws Error for a row that no check of the database lets through */
export function networkOf(row: Row<'networks'>): NetworkDefinition {
  const { uuid, libvirt_name: name, bridge, gateway, netmask, start_ip, end_ip } = row;
  if (row.kind === 'bridge') return bridgedNetworkOf(row);
  if (gateway === null || netmask === null || start_ip === null || end_ip === null)
    throw new Error(`network ${row.name} has no addresses`);
  return { uuid, name, bridge, gateway, netmask, rangeStart: start_ip, rangeEnd: end_ip };
}

export function bridgedNetworkOf(row: Row<'networks'>): BridgedNetwork {
  if (row.uplink === null) throw new Error(`network ${row.name} has no uplink`);
  return {
    uuid: row.uuid,
    kind: 'bridge',
    name: row.libvirt_name,
    bridge: row.bridge,
    uplink: row.uplink,
    ...(row.vlan === null ? {} : { vlan: row.vlan }),
  };
}

/**
 * Networks that were deleted, of which a host still has something: what it tells is names of libvirt networks and of bridges.
 * A bridge that a network uses that is there is none of the deleted one's any more.
 */
export async function deletedNetworksAmong(
  executor: Executor,
  names: readonly string[],
): Promise<readonly BridgedNetwork[]> {
  if (names.length === 0) return [];
  const rows = await executor
    .selectFrom('networks')
    .selectAll()
    .where('kind', '=', 'bridge')
    .where((or) => or.or([or('libvirt_name', 'in', names), or('bridge', 'in', names)]))
    .orderBy('id', 'desc')
    .execute();
  const inUse = new Set(rows.flatMap(({ removed, bridge }) => (removed === null ? bridge : [])));
  const seen = new Set<string>();
  return rows.flatMap((row) => {
    const { vlan, ...rest } = bridgedNetworkOf(row);
    const ownBridge = vlan !== undefined && !inUse.has(row.bridge) && !seen.has(row.bridge);
    // of many networks that had this bridge one after the other, one is enough to remove it by
    if (row.removed === null || !(names.includes(row.libvirt_name) || ownBridge)) return [];
    seen.add(row.bridge);
    return ownBridge ? { ...rest, vlan } : rest;
  });
}
