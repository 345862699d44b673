import { ApiError, entityNotFound } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { everything } from '../store/paging.ts';
import { listUserRows, type UserRow } from '../store/users.ts';
import type { Caller } from './command.ts';
import { reachOf } from './scope.ts';

/**
 * The user whose keys the caller may read and renew: itself, or one below it.
 * @throws ApiError 431 when there is none within the caller's reach; 531 for a user of the own account by a plain user,
 * and for a root admin by a domain admin, who would otherwise become one.
 */
export async function keyHolder(executor: Executor, caller: Caller, uuid: string): Promise<UserRow> {
  const [user] = (await listUserRows(executor, { scope: reachOf(caller), uuid }, everything)).rows;
  if (!user) throw entityNotFound('id', uuid);
  const isSelf = user.id === caller.userId;
  const isBelow = caller.role === 'admin' || (caller.role === 'domainadmin' && user.account_type !== 1);
  if (!isSelf && !isBelow) throw new ApiError('ACCOUNT_ERROR', `you have no permission for user ${uuid}`);
  return user;
}
