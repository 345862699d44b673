import { ApiError } from '@millrace/api';
import type { Amounts } from '../domain/resource-types.ts';
import type { Executor } from '../store/database.ts';
import { findLimitReached } from '../store/resource-limits.ts';

/**
 * To be asked in the transaction that makes what is asked for, before it is made.
 * @throws ApiError 535 in CloudStack's words when the account, or a domain around it, may not have so much more
 */
export async function demandResources(trx: Executor, accountId: number, asked: Amounts): Promise<void> {
  const reached = await findLimitReached(trx, accountId, asked);
  if (!reached) return;
  throw new ApiError(
    'RESOURCE_ALLOCATION_ERROR',
    `Maximum amount of resources of Type = '${reached.type}' for ${reached.holder} has been exceeded: ` +
      `${reached.used} of ${reached.limit} are in use, ${reached.asked} more would be needed`,
  );
}

/** Whole GiB that so many bytes count as. */
export function gibibytes(bytes: number): number {
  return Math.ceil(bytes / 1024 ** 3);
}
