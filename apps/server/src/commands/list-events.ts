import { formatDate, isUuid, specs } from '@millrace/api';
import { listEventRows } from '../store/event-list.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { displayedDomainPath } from './responses/domain-path.ts';
import { listScope } from './scope.ts';
import { endOfSpan } from './whole-days.ts';

export const listEvents = implement(specs.listEvents, async ({ params, database, caller }) => {
  const { resourceid, enddate } = params;
  // a resource's id is a string here; what is no UUID names nothing
  if (resourceid !== undefined && !isUuid(resourceid)) return { list: [], count: 0 };
  const filter = {
    scope: await listScope(database, caller, params, params.id !== undefined),
    archived: params.archived === true,
    uuid: params.id,
    type: params.type,
    level: params.level,
    state: params.state,
    keyword: params.keyword,
    resourceUuid: resourceid,
    resourceType: params.resourcetype,
    startUuid: params.startid,
    from: params.startdate,
    until: endOfSpan(enddate),
  };
  const { rows, count } = await listEventRows(database, filter, await pageFrom(database, params));
  const list = rows.map((row) => ({
    id: row.uuid,
    type: row.type,
    state: row.state,
    level: row.level,
    description: row.description,
    created: formatDate(row.created),
    account: row.account_name ?? undefined,
    domainid: row.domain_uuid ?? undefined,
    domain: row.domain_name ?? undefined,
    domainpath: row.domain_path === null ? undefined : displayedDomainPath(row.domain_path),
    username: row.username ?? undefined,
    parentid: row.start_uuid ?? undefined,
    resourceid: row.resource_uuid ?? undefined,
    resourcetype: row.resource_type ?? undefined,
    archived: row.event_state === 'archived',
    clientaddress: caller.role === 'admin' ? (row.client_address ?? undefined) : undefined,
  }));
  return { list, count };
});
