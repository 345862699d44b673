import { poolSpace } from '../storage/pool-space.ts';
import type { Handler } from './handler.ts';

/** Size of the pool, and what is free of it. */
export function makePoolStats(): Handler<'pool.stats'> {
  return ({ pool }, { signal }) => poolSpace(pool, signal);
}
