import { ApiError, entityNotFound } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { everything } from '../store/paging.ts';
import { listUserRows, type UserRow } from '../store/users.ts';
import { demandPowerOver } from './authority.ts';
import type { Caller } from './command.ts';
import { reachOf } from './scope.ts';

/**
 * The user whose keys the caller may read and renew, and whom it may change: itself, or one below it.
 * @throws ApiError 431 when there is none within the caller's reach; 531 for a user of the own account by a plain user,
 * and for one whose role may do what the caller's may not: it would be a way to become that one
 */
export async function keyHolder(executor: Executor, caller: Caller, uuid: string): Promise<UserRow> {
  const [user] = (await listUserRows(executor, { scope: reachOf(caller), uuid }, everything)).rows;
  if (!user) throw entityNotFound('id', uuid);
  if (user.id === caller.userId) return user;
  if (caller.role === 'user') throw new ApiError('ACCOUNT_ERROR', `you have no permission for user ${uuid}`);
  demandPowerOver(caller, { rules: user.rules, accountType: user.account_type }, `user ${user.username}`);
  return user;
}
