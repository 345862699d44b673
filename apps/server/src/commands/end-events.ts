import { entityNotFound, invalidParameter, specs } from '@millrace/api';
import { alertTypes } from '../store/alerts.ts';
import type { Database, Executor } from '../store/database.ts';
import { type Chosen, type Ending, endAlerts, endEvents, missingEvents } from '../store/event-endings.ts';
import { recordEvent } from '../store/events.ts';
import { type Caller, implement } from './command.ts';
import { reachOf } from './scope.ts';
import { endOfSpan } from './whole-days.ts';

interface Choice {
  readonly ids?: readonly string[] | undefined;
  readonly type?: string | undefined;
  readonly startdate?: Date | undefined;
  readonly enddate?: Date | undefined;
}

export const archiveEvents = implement(specs.archiveEvents, async ({ params, database, caller }) =>
  end(database, caller, params, 'archived'),
);

export const deleteEvents = implement(specs.deleteEvents, async ({ params, database, caller }) =>
  end(database, caller, params, 'deleted'),
);

export const archiveAlerts = implement(specs.archiveAlerts, async ({ params, database, caller }) =>
  endAsAlerts(database, caller, params, 'archived'),
);

export const deleteAlerts = implement(specs.deleteAlerts, async ({ params, database, caller }) =>
  endAsAlerts(database, caller, params, 'deleted'),
);

async function end(database: Database, caller: Caller, params: Choice, ending: Ending) {
  const types = params.type === undefined ? undefined : [params.type.toUpperCase()];
  const chosen = chosenBy(caller, params, types);
  await database.transaction().execute(async (trx) => {
    await demandAll(trx, chosen, 'event_state');
    const count = await endEvents(trx, chosen, ending);
    // what told of other doings is gone: that it is gone is told
    if (ending === 'deleted' && count > 0)
      await recordEvent(trx, {
        type: 'EVENTS.DELETE',
        description: `user ${caller.username} deleted ${count} ${count === 1 ? 'event' : 'events'}`,
        userId: caller.userId,
        accountId: caller.accountId,
      });
  });
  return { success: true } as const;
}

async function endAsAlerts(database: Database, caller: Caller, params: Choice, ending: Ending) {
  const chosen = chosenBy(caller, params, params.type === undefined ? undefined : namesOf(params.type));
  await database.transaction().execute(async (trx) => {
    await demandAll(trx, chosen, 'alert_state');
    await endAlerts(trx, chosen, ending);
  });
  return { success: true } as const;
}

function namesOf(type: string): string[] {
  const names = Object.entries(alertTypes).flatMap(([name, number]) => (String(number) === type ? name : []));
  if (names.length === 0) throw invalidParameter('type', `there is no alert of type ${type.slice(0, 20)}`);
  return names;
}

/** CloudStack's rules: something must be chosen, and a start needs an end. @throws ApiError 431 */
function chosenBy(caller: Caller, params: Choice, types: readonly string[] | undefined): Chosen {
  const { ids, startdate, enddate } = params;
  if (ids === undefined && types === undefined && enddate === undefined)
    throw invalidParameter('ids', 'or type, or enddate must be given');
  if (startdate !== undefined && enddate === undefined)
    throw invalidParameter('startdate', 'needs enddate beside it');
  return { scope: reachOf(caller), uuids: ids, types, from: startdate, until: endOfSpan(enddate) };
}

/** One ID that is not there, or not the caller's, and nothing is done. @throws ApiError 431 */
async function demandAll(trx: Executor, chosen: Chosen, list: 'event_state' | 'alert_state'): Promise<void> {
  const [missing] = await missingEvents(trx, chosen, list);
  if (missing !== undefined) throw entityNotFound('ids', missing);
}
