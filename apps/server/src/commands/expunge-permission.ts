import { ApiError } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { readSetting } from '../store/settings.ts';
import type { Caller } from './command.ts';

/** @throws ApiError 531 when the operator keeps expunging and recovering to administrators */
export async function demandExpungePermission(executor: Executor, caller: Caller): Promise<void> {
  const { accountId } = caller;
  if (caller.role !== 'user') return;
  if (await readSetting(executor, 'allow.user.expunge.recover.vm', { accountId })) return;
  throw new ApiError(
    'ACCOUNT_ERROR',
    'users may neither expunge nor recover instances here (setting allow.user.expunge.recover.vm); ask an administrator',
  );
}
