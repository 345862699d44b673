import { type EntityOf, formatDate, type networkFields } from '@millrace/api';
import { cidrOf } from '../../domain/places.ts';
import type { Executor } from '../../store/database.ts';
import { listNetworkRows, type NetworkRow } from '../../store/network-list.ts';
import { everything } from '../../store/paging.ts';
import { displayedDomainPath } from './domain-path.ts';
import { tagTeller } from './tag.ts';

/** What serves guests: libvirt's DHCP behind NAT, the config drive elsewhere. */
export function servicesOf(guestType: string, provider: string) {
  const names = guestType === 'L2' ? ['UserData'] : ['Dhcp', 'Dns', 'UserData'];
  return names.map((name) => ({ name, provider: [{ name: provider, state: 'Enabled' }], capability: [] }));
}

function networkEntity(row: NetworkRow, forAdmin: boolean): EntityOf<typeof networkFields> {
  const gateway = row.gateway ?? row.range_gateway;
  const netmask = row.netmask ?? row.range_netmask;
  return {
    id: row.uuid,
    name: row.name,
    displaytext: row.display_text,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    state: row.state,
    type: row.guest_type,
    traffictype: row.traffic_type,
    acltype: row.acl_type,
    account: row.account_name ?? undefined,
    domainid: row.domain_uuid ?? undefined,
    domain: row.domain_name ?? undefined,
    domainpath: row.domain_path === null ? undefined : displayedDomainPath(row.domain_path),
    subdomainaccess: row.subdomain_access,
    gateway: gateway ?? undefined,
    netmask: netmask ?? undefined,
    cidr: row.cidr ?? (gateway && netmask ? cidrOf(gateway, netmask) : undefined),
    dns1: row.dns1 ?? row.zone_dns1,
    dns2: row.dns1 === null ? (row.zone_dns2 ?? undefined) : (row.dns2 ?? undefined),
    networkofferingid: row.offering_uuid ?? undefined,
    networkofferingname: row.offering_name ?? undefined,
    networkofferingdisplaytext: row.offering_display_text ?? undefined,
    broadcastdomaintype: row.kind === 'bridge' ? 'Vlan' : 'Native',
    ...(forAdmin
      ? {
          physicalnetworkid: row.physical_network_uuid ?? undefined,
          ...(row.kind === 'bridge'
            ? { broadcasturi: `vlan://${row.vlan ?? 'untagged'}`, vlan: String(row.vlan ?? 'untagged') }
            : {}),
        }
      : {}),
    isdefault: row.is_default,
    created: formatDate(row.created),
    service: servicesOf(row.guest_type, row.kind === 'nat' ? 'Libvirt' : 'ConfigDrive'),
    canusefordeploy: true,
    displaynetwork: true,
    specifyipranges: row.specify_ip_ranges ?? false,
    restartrequired: false,
    ispersistent: true,
    issystem: false,
    strechedl2subnet: false,
    redundantrouter: false,
    supportsvmautoscaling: false,
    hasannotations: false,
  };
}

export async function networkEntities(executor: Executor, rows: readonly NetworkRow[], forAdmin: boolean) {
  const tags = await tagTeller(
    executor,
    rows.map((row) => row.uuid),
  );
  return rows.map((row) => ({ ...networkEntity(row, forAdmin), tags: tags(row.uuid) }));
}

/** @throws Error when there is no such network */
export async function loadNetwork(executor: Executor, uuid: string, forAdmin: boolean) {
  const { rows } = await listNetworkRows(executor, { scope: { kind: 'everything' }, uuid }, everything);
  const [network] = await networkEntities(executor, rows, forAdmin);
  if (!network) throw new Error(`there is no network ${uuid}`);
  return network;
}
