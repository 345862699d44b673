import { entityNotFound, invalidParameter } from '@millrace/api';
import type { Executor } from '../store/database.ts';

/**
 * The number of the host an administrator asks for.
 * @throws ApiError 431 when there is none in the zone
 */
export async function hostIdOf(executor: Executor, uuid: string, zoneId: number): Promise<number> {
  const host = await executor
    .selectFrom('host')
    .select(['id', 'data_center_id'])
    .where('uuid', '=', uuid)
    .where('removed', 'is', null)
    .executeTakeFirst();
  if (!host) throw entityNotFound('hostid', uuid);
  if (host.data_center_id !== zoneId) throw invalidParameter('hostid', 'the host is in another zone');
  return host.id;
}
