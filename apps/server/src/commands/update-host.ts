import { entityNotFound, invalidParameter, specs } from '@millrace/api';
import { afterAllocationEvent, allocationEventOf, allocationEvents } from '../domain/host-resource-states.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { listHostRows } from '../store/host-list.ts';
import { isHostLabel } from './add-host.ts';
import { implement } from './command.ts';
import { describeHosts } from './responses/describe-hosts.ts';
import { tagList } from './storage-tags.ts';

export const updateHost = implement(specs.updateHost, async ({ params, database, caller }) => {
  const { id, allocationstate } = params;
  const event = allocationstate === undefined ? undefined : allocationEventOf(allocationstate);
  if (allocationstate !== undefined && !event) {
    throw invalidParameter('allocationstate', `must be one of ${allocationEvents.join(', ')}`);
  }
  return database.transaction().execute(async (trx) => {
    const host = await trx
      .selectFrom('host')
      .select(['id', 'name', 'uuid', 'resource_state', 'data_center_id'])
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
    const changes = await readChanges(trx, host, params);
    if (Object.keys(changes).length > 0) {
      await trx.updateTable('host').set(changes).where('id', '=', host.id).execute();
      await recordEvent(trx, {
        type: 'HOST.EDIT',
        description: `Host ${host.name} was changed: ${Object.keys(changes).join(', ')}`,
        userId: caller.userId,
        accountId: caller.accountId,
        resourceType: 'Host',
        resourceUuid: host.uuid,
      });
    }
    const { rows } = await listHostRows(trx, { uuid: id }, { limit: 1, offset: 0 });
    const [entity] = await describeHosts(trx, rows);
    if (!entity) throw entityNotFound('id', id);
    return { object: entity };
  });
});

/** @throws ApiError 431 */
async function readChanges(
  executor: Executor,
  host: { readonly id: number; readonly data_center_id: number },
  params: { readonly name?: string | undefined; readonly hosttags?: readonly string[] | undefined },
) {
  const { name, hosttags } = params;
  if (name !== undefined) {
    if (!isHostLabel(name)) throw invalidParameter('name', 'must be letters, digits, dots and inner hyphens');
    const taken = await executor
      .selectFrom('host')
      .select('id')
      .where('name', '=', name)
      .where('data_center_id', '=', host.data_center_id)
      .where('removed', 'is', null)
      .where('id', '!=', host.id)
      .executeTakeFirst();
    if (taken) throw invalidParameter('name', `the zone has a host ${name} already`);
  }
  return {
    ...(name === undefined ? {} : { name, renamed: true }),
    ...(hosttags === undefined ? {} : { tags: tagList('hosttags', hosttags) }),
  };
}
