import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing, type OwnerScope, ownedBy } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

export interface EventFilter {
  readonly scope: OwnerScope;
  readonly archived: boolean;
  readonly uuid?: string | undefined;
  readonly type?: string | undefined;
  readonly level?: string | undefined;
  readonly state?: string | undefined;
  readonly keyword?: string | undefined;
  readonly resourceUuid?: string | undefined;
  readonly resourceType?: string | undefined;
  readonly startUuid?: string | undefined;
  readonly from?: Date | undefined;
  readonly until?: Date | undefined;
}

/** Events of accounts, newest first; those that belong to no account are for whoever sees everything. */
export async function listEventRows(executor: Executor, filter: EventFilter, page: Page) {
  let query = executor
    .selectFrom('event')
    .leftJoin('account', 'account.id', 'event.account_id')
    .leftJoin('domain', 'domain.id', 'event.domain_id')
    .leftJoin('user', 'user.id', 'event.user_id')
    .where(ownedBy(filter.scope))
    .where('event.event_state', '=', filter.archived ? 'archived' : 'shown');
  const equal = [
    ['event.uuid', filter.uuid],
    ['event.type', filter.type?.toUpperCase()],
    ['event.level', filter.level?.toUpperCase()],
    ['event.state', filter.state],
    ['event.resource_uuid', filter.resourceUuid],
  ] as const;
  for (const [column, value] of equal) {
    if (value !== undefined) query = query.where(column, '=', value);
  }
  const { resourceType, startUuid, keyword, from, until } = filter;
  if (resourceType !== undefined) {
    query = query.where(sql<boolean>`lower(event.resource_type) = ${resourceType.toLowerCase()}`);
  }
  if (startUuid !== undefined) {
    query = query.where((eb) =>
      eb.or([eb('event.start_uuid', '=', startUuid), eb('event.uuid', '=', startUuid)]),
    );
  }
  if (keyword !== undefined) query = query.where('event.description', 'ilike', containing(keyword));
  if (from !== undefined) query = query.where('event.created', '>=', from);
  if (until !== undefined) query = query.where('event.created', '<=', until);
  const selected = query
    .select([
      'event.uuid',
      'event.type',
      'event.state',
      'event.level',
      'event.description',
      'event.resource_type',
      'event.resource_uuid',
      'event.start_uuid',
      'event.created',
      'event.client_address',
      'event.event_state',
      'account.account_name',
      'domain.uuid as domain_uuid',
      'domain.name as domain_name',
      'domain.path as domain_path',
      'user.username',
    ])
    .orderBy('event.id', 'desc');
  return pageOf(selected, page);
}
