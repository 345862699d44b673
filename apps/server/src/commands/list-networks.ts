import { specs } from '@millrace/api';
import { readVlan } from '../domain/vlan-range.ts';
import { listNetworkRows } from '../store/network-list.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { networkEntities } from './responses/network.ts';
import { listScope, reachOf } from './scope.ts';

const aclTypes = ['Account', 'Domain'];

export const listNetworks = implement(specs.listNetworks, async ({ params, database, caller }) => {
  const aclType = aclTypes.find((type) => type.toLowerCase() === params.acltype?.toLowerCase());
  if (params.acltype !== undefined && aclType === undefined) return { list: [], count: 0 };
  const vlan = params.vlan === undefined ? undefined : readVlan(params.vlan);
  // what others share with everybody is listed, whether it was asked for or not: instances are deployed into it
  const named = params.account !== undefined || params.domainid !== undefined;
  const filter = {
    scope: named ? await listScope(database, caller, params, false) : reachOf(caller),
    aclType,
    uuid: params.id,
    keyword: params.keyword,
    zoneUuid: params.zoneid,
    type: params.type,
    trafficType: params.traffictype,
    offeringUuid: params.networkofferingid,
    physicalNetworkUuid: params.physicalnetworkid,
    specifyIpRanges: params.specifyipranges,
    vlan: vlan === 'untagged' ? undefined : vlan,
    tags: params.tags,
  };
  const { rows, count } = await listNetworkRows(database, filter, await pageFrom(database, params));
  return { list: await networkEntities(database, rows, caller.role === 'admin'), count };
});
