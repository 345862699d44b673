import { entityNotFound, invalidParameter, specs } from '@millrace/api';
import { afterAllocationEvent, allocationEventOf, allocationEvents } from '../domain/host-resource-states.ts';
import { recordEvent } from '../store/events.ts';
import { listHostRows } from '../store/host-list.ts';
import { implement } from './command.ts';
import { describeHosts } from './responses/describe-hosts.ts';

export const updateHost = implement(specs.updateHost, async ({ params, database, caller }) => {
  const { id, allocationstate } = params;
  const event = allocationstate === undefined ? undefined : allocationEventOf(allocationstate);
  if (allocationstate !== undefined && !event) {
    throw invalidParameter('allocationstate', `must be one of ${allocationEvents.join(', ')}`);
  }
  return database.transaction().execute(async (trx) => {
    const host = await trx
      .selectFrom('host')
      .select(['id', 'name', 'uuid', 'resource_state'])
      .where('uuid', '=', id)
      .where('removed', 'is', null)
      .forUpdate()
      .executeTakeFirst();
    if (!host) throw entityNotFound('id', id);
    if (event) {
      const next = afterAllocationEvent(host.resource_state, event);
      if (next === undefined) {
        throw invalidParameter('allocationstate', `a host in ${host.resource_state} does not allow ${event}`);
      }
      if (next !== host.resource_state) {
        await trx.updateTable('host').set({ resource_state: next }).where('id', '=', host.id).execute();
        await recordEvent(trx, {
          type: 'HOST.EDIT',
          description: `Host ${host.name} is now ${next}`,
          userId: caller.userId,
          accountId: caller.accountId,
          resourceType: 'Host',
          resourceUuid: host.uuid,
        });
      }
    }
    const { rows } = await listHostRows(trx, { uuid: id }, { limit: 1, offset: 0 });
    const [entity] = await describeHosts(trx, rows);
    if (!entity) throw entityNotFound('id', id);
    return { object: entity };
  });
});
