import type { PoolReference } from '@millrace/agent-protocol';
import { rbdImages } from '@millrace/image/rbd-images';
import { fail } from '../failure.ts';
import { type PoolSpace, requirePool, spaceOf } from './pool.ts';
import { rbdPoolOf } from './rbd-access.ts';

/** Size of the file system that holds the pool; of RBD what the cluster has for it. @throws AgentFailure `POOL_UNAVAILABLE` */
export async function poolSpace(pool: PoolReference, signal: AbortSignal): Promise<PoolSpace> {
  if (pool.type !== 'RBD') {
    await requirePool(pool);
    return spaceOf(pool.path);
  }
  const space = await rbdImages(rbdPoolOf(pool), signal).space();
  if (!space)
    fail(
      'POOL_UNAVAILABLE',
      `the Ceph cluster of the RBD pool ${pool.path} tells no capacity: it needs a manager`,
    );
  return { capacityBytes: space.capacityBytes, availableBytes: space.freeBytes };
}
