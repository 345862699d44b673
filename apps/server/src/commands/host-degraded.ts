import { ApiError, entityNotFound, specs } from '@millrace/api';
import { afterDegradedEvent, type DegradedEvent } from '../domain/host-resource-states.ts';
import type { JobQueue } from '../jobs/queue.ts';
import type { Database } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { type Caller, implement } from './command.ts';

/** An operator's word that a host runs nothing any more: what is highly available is started elsewhere on it. */
export const declareHostAsDegraded = implement(specs.declareHostAsDegraded, (context) =>
  change(context, {
    event: 'Declare',
    command: 'declareHostAsDegraded',
    refusal: (host) =>
      ['Disconnected', 'Alert', 'Down'].includes(host.status)
        ? undefined
        : `host ${host.name} is ${host.status}: only one that is Disconnected, in Alert or Down can be declared degraded`,
  }),
);

export const cancelHostAsDegraded = implement(specs.cancelHostAsDegraded, (context) =>
  change(context, { event: 'Cancel', command: 'cancelHostAsDegraded', refusal: () => undefined }),
);

interface Change {
  readonly event: DegradedEvent;
  readonly command: 'declareHostAsDegraded' | 'cancelHostAsDegraded';
  readonly refusal: (host: Row<'host'>) => string | undefined;
}

async function change(
  {
    params,
    database,
    jobs,
    caller,
  }: {
    readonly params: { readonly id: string };
    readonly database: Database;
    readonly jobs: JobQueue;
    readonly caller: Caller;
  },
  { event, command, refusal }: Change,
): Promise<{ jobId: string }> {
  const jobId = await database.transaction().execute(async (trx) => {
    const host = await trx
      .selectFrom('host')
      .selectAll()
      .where('uuid', '=', params.id)
      .where('removed', 'is', null)
      .forUpdate()
      .executeTakeFirst();
    if (!host) throw entityNotFound('id', params.id);
    const refused = refusal(host);
    if (refused !== undefined) throw new ApiError('PARAM_ERROR', refused);
    const next = afterDegradedEvent(host.resource_state, event);
    if (next === undefined)
      throw new ApiError('PARAM_ERROR', `host ${host.name} is in the resource state ${host.resource_state}`);
    await trx.updateTable('host').set({ resource_state: next }).where('id', '=', host.id).execute();
    await recordEvent(trx, {
      type: event === 'Declare' ? 'HOST.DECLARE.DEGRADED' : 'HOST.CANCEL.DEGRADED',
      description:
        event === 'Declare'
          ? `Host ${host.name} is declared degraded: by the word of an operator it runs nothing`
          : `Host ${host.name} is no longer declared degraded`,
      userId: caller.userId,
      accountId: caller.accountId,
      resourceType: 'Host',
      resourceUuid: host.uuid,
    });
    return jobs.enqueue(trx, {
      command,
      parameters: { hostId: host.id },
      userId: caller.userId,
      accountId: caller.accountId,
      instanceType: 'Host',
      instanceUuid: host.uuid,
    });
  });
  return { jobId };
}
