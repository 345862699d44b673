import { requirePool, spaceOf } from '../storage/pool.ts';
import type { Handler } from './handler.ts';

/** Size of the file system that holds the pool. */
export function makePoolStats(): Handler<'pool.stats'> {
  return async ({ pool }) => {
    await requirePool(pool);
    return spaceOf(pool.path);
  };
}
