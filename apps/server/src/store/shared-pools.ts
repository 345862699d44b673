import type { PoolReference } from '@millrace/agent-protocol';
import { sql } from 'kysely';
import type { Executor } from './database.ts';
import type { Row } from './schema.ts';

/** What `sharedPoolReference` is made of. */
export const poolReferenceColumns = [
  'uuid',
  'path',
  'pool_type',
  'host_address',
  'mount_options',
  'port',
  'rbd_user',
  'rbd_secret',
] as const;

/** A pool of several hosts as those hosts are told of it. Of RBD it holds the secret: for the agent alone. */
export function sharedPoolReference(
  pool: Pick<Row<'storage_pool'>, (typeof poolReferenceColumns)[number]>,
): PoolReference | undefined {
  const { uuid, path } = pool;
  if (pool.pool_type === 'SharedMountPoint') return { uuid, path, type: 'SharedMountPoint' };
  if (pool.pool_type === 'RBD') {
    const { host_address: monitors, port, rbd_user: user, rbd_secret: secret } = pool;
    if (monitors === null || user === null || secret === null) return undefined;
    const withPort = (name: string) => (port === null ? name : `${name}:${port}`);
    return { uuid, path, type: 'RBD', rbd: { monitors: monitors.split(',').map(withPort), user, secret } };
  }
  if (pool.pool_type !== 'NetworkFilesystem' || pool.host_address === null) return undefined;
  return {
    uuid,
    path,
    type: 'NetworkFilesystem',
    server: pool.host_address,
    ...(pool.mount_options === null ? {} : { mountOptions: pool.mount_options }),
  };
}

/** Hosts that are Up within the scope of a shared pool, in a fixed order. */
export async function hostsInScope(
  executor: Executor,
  pool: Pick<Row<'storage_pool'>, 'data_center_id' | 'cluster_id' | 'scope'>,
): Promise<{ readonly id: number; readonly name: string }[]> {
  return executor
    .selectFrom('host')
    .select(['id', 'name'])
    .where('data_center_id', '=', pool.data_center_id)
    .$if(pool.scope === 'CLUSTER', (query) => query.where('cluster_id', '=', pool.cluster_id))
    .where('type', '=', 'Routing')
    .where('status', '=', 'Up')
    .where('removed', 'is', null)
    .orderBy('id')
    .execute();
}

/** Pairs of a shared pool and a host that should reach it, and is not known to. */
export async function missingPoolLinks(executor: Executor) {
  return executor
    .selectFrom('storage_pool')
    .innerJoin('host', (join) =>
      join
        .onRef('host.data_center_id', '=', 'storage_pool.data_center_id')
        .on(sql<boolean>`(storage_pool.scope = 'ZONE' or host.cluster_id = storage_pool.cluster_id)`),
    )
    .leftJoin('storage_pool_host_ref', (join) =>
      join
        .onRef('storage_pool_host_ref.pool_id', '=', 'storage_pool.id')
        .onRef('storage_pool_host_ref.host_id', '=', 'host.id'),
    )
    .where('storage_pool.scope', '!=', 'HOST')
    .where('storage_pool.removed', 'is', null)
    .where('storage_pool.status', 'in', ['Up', 'Disabled'])
    .where('host.removed', 'is', null)
    .where('host.type', '=', 'Routing')
    .where('host.status', '=', 'Up')
    .where('storage_pool_host_ref.pool_id', 'is', null)
    .selectAll('storage_pool')
    .select(['host.id as host_id', 'host.name as host_name'])
    .execute();
}

export async function linkPool(
  executor: Executor,
  link: { readonly poolId: number; readonly hostId: number; readonly localPath: string },
): Promise<void> {
  await executor
    .insertInto('storage_pool_host_ref')
    .values({ pool_id: link.poolId, host_id: link.hostId, local_path: link.localPath })
    .onConflict((conflict) =>
      conflict.columns(['pool_id', 'host_id']).doUpdateSet({ local_path: link.localPath }),
    )
    .execute();
}

/** Keeps what a host says of the space in a pool, bytes. */
export async function updateSpaceOf(
  executor: Executor,
  poolId: number,
  space: { readonly capacityBytes: number; readonly availableBytes: number },
): Promise<void> {
  await executor
    .updateTable('data_store')
    .set({
      capacity_bytes: space.capacityBytes,
      used_bytes: Math.max(0, space.capacityBytes - space.availableBytes),
    })
    .where('id', '=', poolId)
    .execute();
}
