import type { PoolReference } from '@millrace/agent-protocol';
import { markRbdPool, rbdPoolMark, unmarkRbdPool } from '@millrace/image/rbd-mark';
import type { RbdPool } from '@millrace/image/rbd-pool';
import { fail } from '../failure.ts';

/** The pool as the image engine takes it. The protocol sees to it that RBD has an access. */
export function rbdPoolOf(pool: PoolReference): RbdPool {
  if (!pool.rbd) return fail('POOL_UNAVAILABLE', `the pool ${pool.path} is no RBD pool`);
  return { ...pool.rbd, pool: pool.path };
}

/**
 * Marks the pool as this one, unless it is already: two clouds in one pool would remove each other's images.
 * @throws AgentFailure `POOL_FOREIGN`; FetchFault `POOL_UNAVAILABLE`
 */
export async function attachRbdPool(pool: PoolReference, signal: AbortSignal): Promise<void> {
  const owner = await markRbdPool(rbdPoolOf(pool), pool.uuid, signal);
  if (owner === pool.uuid) return;
  fail(
    'POOL_FOREIGN',
    `the RBD pool ${pool.path} is the storage pool ${owner} already: use another one, or remove its image .millrace-pool when that pool is no more`,
    undefined,
    'stop',
  );
}

/** @throws AgentFailure `POOL_UNAVAILABLE` when it is another cloud's pool, or nobody's */
export async function requireOwnRbdPool(pool: PoolReference, signal: AbortSignal): Promise<void> {
  const mark = await rbdPoolMark(rbdPoolOf(pool), signal);
  if (mark === pool.uuid) return;
  fail(
    'POOL_UNAVAILABLE',
    mark === undefined
      ? `the RBD pool ${pool.path} has no mark of a storage pool: is it the right cluster?`
      : `the RBD pool ${pool.path} is the storage pool ${mark}, not ${pool.uuid}`,
  );
}

export async function detachRbdPool(pool: PoolReference, signal: AbortSignal): Promise<void> {
  await unmarkRbdPool(rbdPoolOf(pool), pool.uuid, signal);
}
