import { sql } from 'kysely';
import { alertTypes } from './alerts.ts';
import type { Executor } from './database.ts';
import { type OwnerScope, ownedBy } from './owner-scope.ts';

export type Ending = 'archived' | 'deleted';

/** Which events, or alerts, are meant: those that all that is given applies to. */
export interface Chosen {
  readonly scope: OwnerScope;
  readonly uuids?: readonly string[] | undefined;
  readonly types?: readonly string[] | undefined;
  readonly from?: Date | undefined;
  readonly until?: Date | undefined;
}

const alertNames = Object.keys(alertTypes);
const isAlert = sql<boolean>`event.type = any(${alertNames})`;

/** Those of `uuids` that no list of the caller shows. */
export async function missingEvents(
  executor: Executor,
  chosen: Chosen,
  list: 'event_state' | 'alert_state',
): Promise<string[]> {
  const uuids = chosen.uuids ?? [];
  const there = await rowsOf(executor, { scope: chosen.scope, uuids }, list).select('event.uuid').execute();
  const known = new Set(there.map(({ uuid }) => uuid));
  return uuids.filter((uuid) => !known.has(uuid));
}

/** Takes events off their list. An alert among those that are deleted stays until it ends as an alert. */
export async function endEvents(executor: Executor, chosen: Chosen, ending: Ending): Promise<number> {
  const ids = rowsOf(executor, chosen, 'event_state').select('event.id');
  const kept = await executor
    .updateTable('event')
    .set({ event_state: ending })
    .where('id', 'in', ids)
    .$if(ending === 'deleted', (query) => query.where(isAlert).where('alert_state', '=', 'shown'))
    .executeTakeFirst();
  if (ending === 'archived') return Number(kept.numUpdatedRows);
  const gone = await executor.deleteFrom('event').where('id', 'in', ids).executeTakeFirst();
  return Number(kept.numUpdatedRows + gone.numDeletedRows);
}

/** Takes alerts off their list; the events that they are stay in theirs. */
export async function endAlerts(executor: Executor, chosen: Chosen, ending: Ending): Promise<void> {
  const ids = rowsOf(executor, chosen, 'alert_state').select('event.id');
  if (ending === 'deleted')
    await executor.deleteFrom('event').where('id', 'in', ids).where('event_state', '=', 'deleted').execute();
  await executor.updateTable('event').set({ alert_state: ending }).where('id', 'in', ids).execute();
}

/** What is still in a list, archived events too: those may be deleted later. */
function rowsOf(executor: Executor, chosen: Chosen, list: 'event_state' | 'alert_state') {
  const { uuids, types, from, until } = chosen;
  let query = executor
    .selectFrom('event')
    .leftJoin('account', 'account.id', 'event.account_id')
    .leftJoin('domain', 'domain.id', 'event.domain_id')
    .where(ownedBy(chosen.scope));
  query =
    list === 'event_state'
      ? query.where('event.event_state', '<>', 'deleted')
      : query.where('event.alert_state', '=', 'shown').where(isAlert);
  if (uuids !== undefined) query = query.where('event.uuid', '=', sql<string>`any(${uuids}::uuid[])`);
  if (types !== undefined) query = query.where('event.type', '=', sql<string>`any(${types})`);
  if (from !== undefined) query = query.where('event.created', '>=', from);
  if (until !== undefined) query = query.where('event.created', '<=', until);
  return query;
}
