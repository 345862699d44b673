import { ApiError, entityNotFound, specs } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { implement } from './command.ts';

/** Takes a host out of the cloud: its certificate is good for nothing from then on. Nothing that is in use goes with it. */
export const deleteHost = implement(specs.deleteHost, async ({ params, database, caller, agents }) => {
  const hostId = await database.transaction().execute(async (trx) => {
    const host = await trx
      .selectFrom('host')
      .selectAll()
      .where('uuid', '=', params.id)
      .where('removed', 'is', null)
      .forUpdate()
      .executeTakeFirst();
    if (!host) throw entityNotFound('id', params.id);
    // one that was added and never came takes nothing with it
    const works = host.last_ping !== null && host.resource_state === 'Enabled';
    if (works && !params.forced) {
      throw new ApiError(
        'PARAM_ERROR',
        `host ${host.name} is Enabled: disable it first (updateHost allocationstate=Disable), or use forced=true`,
      );
    }
    await demandUnused(trx, host);
    await removePools(trx, host.id);
    await trx.updateTable('host').set({ removed: new Date() }).where('id', '=', host.id).execute();
    await recordEvent(trx, {
      type: 'HOST.DELETE',
      description: `Host ${host.name} was deleted`,
      userId: caller.userId,
      accountId: caller.accountId,
      resourceType: 'Host',
      resourceUuid: host.uuid,
    });
    return host.id;
  });
  agents.disconnect(hostId, 'the host was deleted');
  return { success: true };
});

async function demandUnused(
  trx: Executor,
  host: { readonly id: number; readonly name: string },
): Promise<void> {
  const vm = await trx
    .selectFrom('vm_instance')
    .select('name')
    .where('host_id', '=', host.id)
    .where('removed', 'is', null)
    .executeTakeFirst();
  if (vm)
    throw new ApiError(
      'RESOURCE_IN_USE_ERROR',
      `host ${host.name} has instances on it, ${vm.name} for one: stop them, or let them start elsewhere, first`,
    );
  const volume = await trx
    .selectFrom('volumes')
    .innerJoin('storage_pool', 'storage_pool.id', 'volumes.pool_id')
    .innerJoin('storage_pool_host_ref', 'storage_pool_host_ref.pool_id', 'storage_pool.id')
    .leftJoin('vm_instance', 'vm_instance.id', 'volumes.instance_id')
    .where('storage_pool_host_ref.host_id', '=', host.id)
    .where('storage_pool.scope', '=', 'HOST')
    .where('volumes.state', '!=', 'Expunged')
    .select(['volumes.name', 'vm_instance.name as vm_name'])
    .executeTakeFirst();
  if (volume)
    throw new ApiError(
      'RESOURCE_IN_USE_ERROR',
      `the local storage of host ${host.name} has disks, ${volume.name} of ${volume.vm_name ?? 'no instance'} for one: expunge their instances first`,
    );
}

async function removePools(trx: Executor, hostId: number): Promise<void> {
  const pools = await trx
    .selectFrom('storage_pool')
    .innerJoin('storage_pool_host_ref', 'storage_pool_host_ref.pool_id', 'storage_pool.id')
    .where('storage_pool_host_ref.host_id', '=', hostId)
    .where('storage_pool.scope', '=', 'HOST')
    .where('storage_pool.removed', 'is', null)
    .select('storage_pool.id')
    .execute();
  const ids = pools.map(({ id }) => id);
  if (ids.length > 0) {
    await trx.deleteFrom('template_spool_ref').where('pool_id', 'in', ids).execute();
    await trx.updateTable('storage_pool').set({ removed: new Date() }).where('id', 'in', ids).execute();
  }
  await trx.deleteFrom('storage_pool_host_ref').where('host_id', '=', hostId).execute();
}
