import { entityNotFound, invalidParameter, specs } from '@millrace/api';
import { displayableName } from '../domain/template-registration.ts';
import { recordEvent } from '../store/events.ts';
import { implement } from './command.ts';
import { loadStoragePool } from './responses/storage-pool.ts';
import { tagList } from './storage-tags.ts';

export const updateStoragePool = implement(specs.updateStoragePool, async ({ params, database, caller }) => {
  const { id, enabled } = params;
  const name = params.name === undefined ? undefined : displayableName('name', params.name);
  const tags = params.tags === undefined ? undefined : tagList('tags', params.tags);
  await database.transaction().execute(async (trx) => {
    const pool = await trx
      .selectFrom('storage_pool')
      .selectAll()
      .where('uuid', '=', id)
      .where('removed', 'is', null)
      .forUpdate()
      .executeTakeFirst();
    if (!pool) throw entityNotFound('id', id);
    if (name !== undefined && pool.scope === 'HOST') {
      throw invalidParameter('name', 'local pools are called after their hosts');
    }
    if (enabled !== undefined && pool.status !== 'Up' && pool.status !== 'Disabled') {
      throw invalidParameter(
        'enabled',
        `a storage pool that is ${pool.status} is neither enabled nor disabled`,
      );
    }
    const changes = {
      ...(name === undefined ? {} : { name }),
      ...(tags === undefined ? {} : { tags }),
      ...(enabled === undefined ? {} : { status: enabled ? 'Up' : 'Disabled' }),
    };
    if (Object.keys(changes).length === 0) return;
    await trx.updateTable('storage_pool').set(changes).where('id', '=', pool.id).execute();
    await recordEvent(trx, {
      type: 'STORAGE.POOL.EDIT',
      description: `storage pool ${name ?? pool.name} was changed: ${Object.keys(changes).join(', ')}`,
      userId: caller.userId,
      accountId: caller.accountId,
      resourceType: 'StoragePool',
      resourceUuid: pool.uuid,
    });
  });
  return { object: await loadStoragePool(database, id) };
});
