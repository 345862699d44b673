import { sql } from 'kysely';
import type { Executor } from './database.ts';

/** A storage pool and the hosts that could bring something to it. */
export interface PoolHosts {
  readonly poolId: number;
  readonly name: string;
  /** Up and enabled, in a fixed order. */
  readonly hostIds: readonly number[];
}

/** The pools of these IDs that are Up, in a fixed order, each with the hosts that reach it. */
export async function poolsToPrepare(executor: Executor, poolIds: readonly number[]): Promise<PoolHosts[]> {
  const pools = await executor
    .selectFrom('data_store')
    .where('id', '=', sql<number>`any(${poolIds})`)
    .where('removed', 'is', null)
    .where('status', '=', 'Up')
    .select(['id', 'name', 'role'])
    .orderBy('id')
    .execute();
  const reached = await executor
    .selectFrom('storage_pool_host_ref')
    .innerJoin('host', 'host.id', 'storage_pool_host_ref.host_id')
    .where('pool_id', '=', sql<number>`any(${poolIds})`)
    .where('host.removed', 'is', null)
    .where('host.status', '=', 'Up')
    .select(['pool_id', 'host_id', 'host.resource_state'])
    .orderBy('host_id')
    .execute();
  return pools.map(({ id, name, role }) => ({
    poolId: id,
    name,
    hostIds: reached
      .filter(({ pool_id }) => pool_id === id)
      // a host that takes no instances can look after an image store all the same
      .filter(({ resource_state }) => role === 'Image' || resource_state === 'Enabled')
      .map(({ host_id }) => host_id),
  }));
}
