import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { networkUsableBy } from './networks.ts';
import { containing, type OwnerScope } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';
import { taggedWith } from './resource-tags.ts';

export interface NetworkFilter {
  readonly scope: OwnerScope;
  readonly aclType?: string | undefined;
  readonly offeringUuid?: string | undefined;
  readonly physicalNetworkUuid?: string | undefined;
  readonly vlan?: number | undefined;
  readonly specifyIpRanges?: boolean | undefined;
  readonly uuid?: string | undefined;
  readonly keyword?: string | undefined;
  readonly zoneUuid?: string | undefined;
  readonly type?: string | undefined;
  readonly trafficType?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

export async function listNetworkRows(executor: Executor, filter: NetworkFilter, page: Page) {
  let query = executor
    .selectFrom('networks')
    .innerJoin('data_center', 'data_center.id', 'networks.data_center_id')
    .leftJoin('network_offering', 'network_offering.id', 'networks.network_offering_id')
    .leftJoin('physical_network', 'physical_network.id', 'networks.physical_network_id')
    .leftJoin('account as owner', 'owner.id', 'networks.account_id')
    .leftJoin('domain as acl_domain', (join) =>
      join.on(sql<boolean>`acl_domain.id = coalesce(networks.domain_id, owner.domain_id)`),
    )
    .leftJoin('vlan_ip_range', (join) =>
      join.on(
        sql<boolean>`vlan_ip_range.id = (select min(id) from vlan_ip_range where network_id = networks.id)`,
      ),
    )
    .where('networks.removed', 'is', null)
    .where(networkUsableBy(filter.scope));
  const { uuid, keyword, zoneUuid, type, trafficType } = filter;
  const equal = [
    ['networks.acl_type', filter.aclType],
    ['network_offering.uuid', filter.offeringUuid],
    ['physical_network.uuid', filter.physicalNetworkUuid],
    ['networks.vlan', filter.vlan],
    ['network_offering.specify_ip_ranges', filter.specifyIpRanges],
  ] as const;
  for (const [column, value] of equal) if (value !== undefined) query = query.where(column, '=', value);
  if (filter.tags) query = query.where(taggedWith('networks.uuid', filter.tags));
  if (uuid !== undefined) query = query.where('networks.uuid', '=', uuid);
  if (zoneUuid !== undefined) query = query.where('data_center.uuid', '=', zoneUuid);
  if (keyword !== undefined) query = query.where('networks.name', 'ilike', containing(keyword));
  if (type !== undefined) {
    query = query.where(sql<boolean>`lower(networks.guest_type) = ${type.toLowerCase()}`);
  }
  if (trafficType !== undefined) {
    query = query.where(sql<boolean>`lower(networks.traffic_type) = ${trafficType.toLowerCase()}`);
  }
  const selected = query
    .selectAll('networks')
    .select([
      'data_center.uuid as zone_uuid',
      'data_center.name as zone_name',
      'data_center.dns1 as zone_dns1',
      'data_center.dns2 as zone_dns2',
      'network_offering.uuid as offering_uuid',
      'network_offering.name as offering_name',
      'network_offering.display_text as offering_display_text',
      'network_offering.specify_ip_ranges',
      'physical_network.uuid as physical_network_uuid',
      'owner.account_name',
      'acl_domain.uuid as domain_uuid',
      'acl_domain.name as domain_name',
      'acl_domain.path as domain_path',
      'vlan_ip_range.gateway as range_gateway',
      'vlan_ip_range.netmask as range_netmask',
    ])
    .orderBy('networks.id');
  return pageOf(selected, page);
}

export type NetworkRow = Awaited<ReturnType<typeof listNetworkRows>>['rows'][number];

/**
 * The networks of a new instance, locked so that two instances cannot take the same address or name: those asked for,
 * or the zone's default network.
 */
export async function lockNetworks(
  executor: Executor,
  zoneId: number,
  accountId: number,
  uuids: readonly string[] | undefined,
) {
  let query = executor
    .selectFrom('networks')
    .selectAll()
    .where('data_center_id', '=', zoneId)
    .where('removed', 'is', null)
    .where(networkUsableBy({ kind: 'account', accountId }));
  query = uuids
    ? query.where('uuid', '=', sql<string>`any(${uuids}::uuid[])`)
    : query.where('is_default', '=', true);
  // one order for everybody, or two deployments with the same networks in another order would wait for each other
  return query.orderBy('id').forUpdate().execute();
}

/** Addresses of a network that are in use. */
export async function takenAddresses(executor: Executor, networkId: number): Promise<Set<string>> {
  const rows = await executor
    .selectFrom('nics')
    .select('ip4_address')
    .where('network_id', '=', networkId)
    .where('removed', 'is', null)
    .where('ip4_address', 'is not', null)
    .execute();
  return new Set(rows.flatMap((row) => row.ip4_address ?? []));
}

/** Whether an instance of this host name is in one of the networks: DHCP and DNS know guests by it. */
export async function isHostNameTaken(executor: Executor, networkIds: readonly number[], name: string) {
  const row = await executor
    .selectFrom('vm_instance')
    .innerJoin('nics', 'nics.instance_id', 'vm_instance.id')
    .where('nics.network_id', '=', sql<number>`any(${networkIds})`)
    .where('nics.removed', 'is', null)
    .where('vm_instance.removed', 'is', null)
    .where(sql<boolean>`lower(vm_instance.name) = ${name.toLowerCase()}`)
    .select('vm_instance.id')
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
