import { type EntityOf, formatDate, type networkFields, specs } from '@millrace/api';
import { listNetworkRows, type NetworkRow } from '../store/network-list.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';

/** Networks are shared by all accounts. */
const onlyAclType = 'Domain';

export const listNetworks = implement(specs.listNetworks, async ({ params, database }) => {
  const { acltype } = params;
  if (acltype !== undefined && acltype.toLowerCase() !== onlyAclType.toLowerCase()) {
    return { list: [], count: 0 };
  }
  const filter = {
    uuid: params.id,
    keyword: params.keyword,
    zoneUuid: params.zoneid,
    type: params.type,
    trafficType: params.traffictype,
  };
  const { rows, count } = await listNetworkRows(database, filter, await pageFrom(database, params));
  return { list: rows.map(networkEntity), count };
});

function networkEntity(row: NetworkRow): EntityOf<typeof networkFields> {
  return {
    id: row.uuid,
    name: row.name,
    displaytext: row.display_text,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    state: row.state,
    type: row.guest_type,
    traffictype: row.traffic_type,
    acltype: onlyAclType,
    subdomainaccess: true,
    gateway: row.gateway,
    netmask: row.netmask,
    cidr: row.cidr,
    dns1: row.zone_dns1,
    isdefault: row.is_default,
    created: formatDate(row.created),
    service: [{ name: 'Dhcp', provider: [{ name: 'Libvirt', state: 'Enabled' }], capability: [] }],
    canusefordeploy: true,
    displaynetwork: true,
    specifyipranges: true,
    restartrequired: false,
    ispersistent: true,
    issystem: false,
    strechedl2subnet: false,
    redundantrouter: false,
    supportsvmautoscaling: false,
    hasannotations: false,
    tags: [],
  };
}
