import { specs } from '@millrace/api';
import { listHostRows } from '../store/host-list.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { describeHosts } from './responses/describe-hosts.ts';

export const listHosts = implement(specs.listHosts, async ({ params, database }) => {
  const filter = {
    uuid: params.id,
    name: params.name,
    keyword: params.keyword,
    zoneUuid: params.zoneid,
    podUuid: params.podid,
    clusterUuid: params.clusterid,
    type: params.type,
    state: params.state,
    resourceState: params.resourcestate,
    hypervisor: params.hypervisor,
    migrationOfVmUuid: params.virtualmachineid,
  };
  const { rows, count } = await listHostRows(database, filter, await pageFrom(database, params));
  return { list: await describeHosts(database, rows), count };
});
