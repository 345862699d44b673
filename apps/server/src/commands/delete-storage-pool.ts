import { ApiError, entityNotFound, specs } from '@millrace/api';
import { describeError } from '@millrace/core';
import { detachPool } from '../agents/attach-pool.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { sharedPoolReference } from '../store/shared-pools.ts';
import { type CommandDependencies, implement } from './command.ts';

/** Takes a shared pool out of the cloud: copies of templates are removed from it, its mark and its mounts go. */
export const deleteStoragePool = implement(specs.deleteStoragePool, async (context) => {
  const { params, database, caller } = context;
  const pool = await database.transaction().execute(async (trx) => {
    const found = await trx
      .selectFrom('storage_pool')
      .selectAll()
      .where('uuid', '=', params.id)
      .where('removed', 'is', null)
      .forUpdate()
      .executeTakeFirst();
    if (!found) throw entityNotFound('id', params.id);
    await demandUnused(trx, found, params.forced ?? false);
    // from here on nothing is placed on it, and housekeeping attaches it nowhere
    await trx.updateTable('storage_pool').set({ status: 'Removed' }).where('id', '=', found.id).execute();
    return found;
  });
  const left = await clearPool(context, pool);
  await database.transaction().execute(async (trx) => {
    await trx.deleteFrom('template_spool_ref').where('pool_id', '=', pool.id).execute();
    await trx.deleteFrom('storage_pool_host_ref').where('pool_id', '=', pool.id).execute();
    await trx.updateTable('storage_pool').set({ removed: new Date() }).where('id', '=', pool.id).execute();
    await recordEvent(trx, {
      type: 'STORAGE.POOL.DELETE',
      level: left.length > 0 ? 'WARN' : 'INFO',
      description: `storage pool ${pool.name} was deleted${left.length > 0 ? `; left behind: ${left.join('; ')}` : ''}`,
      userId: caller.userId,
      accountId: caller.accountId,
      resourceType: 'StoragePool',
      resourceUuid: pool.uuid,
    });
  });
  return { success: true };
});

async function demandUnused(trx: Executor, pool: Row<'storage_pool'>, forced: boolean): Promise<void> {
  if (pool.scope === 'HOST') {
    throw new ApiError('PARAM_ERROR', `${pool.name} is the local storage of a host: it goes with deleteHost`);
  }
  if (pool.status !== 'Maintenance' && !forced) {
    throw new ApiError(
      'PARAM_ERROR',
      `storage pool ${pool.name} is ${pool.status}: enableStorageMaintenance first, or use forced=true`,
    );
  }
  const volume = await trx
    .selectFrom('volumes')
    .leftJoin('vm_instance', 'vm_instance.id', 'volumes.instance_id')
    .where('volumes.pool_id', '=', pool.id)
    .where('volumes.state', '!=', 'Expunged')
    .select(['volumes.name', 'vm_instance.name as vm_name'])
    .executeTakeFirst();
  if (volume) {
    throw new ApiError(
      'RESOURCE_IN_USE_ERROR',
      `storage pool ${pool.name} has disks, ${volume.name} of ${volume.vm_name ?? 'no instance'} for one: expunge their instances first`,
    );
  }
  const transfer = await trx
    .selectFrom('template_spool_ref')
    .select('id')
    .where('pool_id', '=', pool.id)
    .where('lease_owner', 'is not', null)
    .executeTakeFirst();
  if (transfer) {
    throw new ApiError(
      'RESOURCE_IN_USE_ERROR',
      `an image is on its way to storage pool ${pool.name}: wait for it`,
    );
  }
}

/** Removes the copies of templates from a pool or an image store, its mark and its mounts. @returns what stayed, in words */
export async function clearPool(
  context: CommandDependencies & { readonly signal: AbortSignal },
  pool: Row<'storage_pool'>,
): Promise<string[]> {
  const { agents, database, signal } = context;
  const left: string[] = [];
  const links = await database
    .selectFrom('storage_pool_host_ref')
    .innerJoin('host', 'host.id', 'storage_pool_host_ref.host_id')
    .select(['host.id', 'host.name'])
    .where('pool_id', '=', pool.id)
    .orderBy('host.id')
    .execute();
  const connected = links.filter(({ id }) => agents.isConnected(id));
  const [first] = connected;
  const reference = sharedPoolReference(pool);
  const copies = await database
    .selectFrom('template_spool_ref')
    .select('install_path')
    .where('pool_id', '=', pool.id)
    .where('install_path', 'is not', null)
    .execute();
  for (const { install_path: installPath } of copies) {
    if (!first || !reference || installPath === null) continue;
    const options = {
      operationId: `delete-pool-${pool.uuid}-${installPath}-${Date.now()}`,
      signal: AbortSignal.any([signal, AbortSignal.timeout(120_000)]),
      reconnectWithinMs: 0,
    };
    await agents
      .call(first.id, 'template.remove', { pool: reference, installPath }, options)
      .catch((error: unknown) => left.push(`${installPath} (${describeError(error)})`));
  }
  // the mark is removed through the last mount
  for (const [index, host] of connected.entries()) {
    await detachPool(context, pool, { id: host.id, last: index === connected.length - 1 }).catch(
      (error: unknown) => left.push(`${host.name} (${describeError(error)})`),
    );
  }
  return left;
}
