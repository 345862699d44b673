import { randomUUID } from 'node:crypto';
import { entityNotFound, invalidParameter, type ParamsOf, specs } from '@millrace/api';
import { type SharedPoolPlace, sharedPoolPlace } from '../domain/storage-pool-url.ts';
import { displayableName } from '../domain/template-registration.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { everything } from '../store/paging.ts';
import type { Row } from '../store/schema.ts';
import { hostsInScope } from '../store/shared-pools.ts';
import { findZone, listClusterRows } from '../store/zone-list.ts';
import { attachEverywhere } from './attach-everywhere.ts';
import { type Caller, type CommandDependencies, implement } from './command.ts';
import { loadStoragePool } from './responses/storage-pool.ts';
import { tagList } from './storage-tags.ts';

type Params = ParamsOf<(typeof specs.createStoragePool)['params']>;
type Deps = CommandDependencies & { readonly caller: Caller; readonly signal: AbortSignal };

/**
 * Makes a storage pool of several hosts. Every host of its scope that is Up is asked to reach it, and one at least must;
 * the others, and those that join later, are asked again until they do.
 */
export const createStoragePool = implement(specs.createStoragePool, async (context) => {
  const { params, database } = context;
  const place = sharedPoolPlace(params.url, params.details ?? {});
  const name = displayableName('name', params.name);
  const tags = params.tags === undefined ? undefined : tagList('tags', params.tags.split(','));
  const pool = await database.transaction().execute(async (trx) => {
    const scope = await scopeOf(trx, params);
    await demandNew(trx, name, place);
    return trx
      .insertInto('storage_pool')
      .values({
        uuid: randomUUID(),
        name,
        pool_type: place.type,
        path: place.path,
        host_address: place.server ?? null,
        mount_options: place.mountOptions ?? null,
        port: place.rbd?.port ?? null,
        rbd_user: place.rbd?.user ?? null,
        rbd_secret: place.rbd?.secret ?? null,
        tags: tags ?? null,
        // no instance is placed on it before a host has said that it is there
        status: 'Initialized',
        ...scope,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
  });
  await takeIntoUse(context, pool);
  return { object: await loadStoragePool(database, pool.uuid) };
});

async function scopeOf(executor: Executor, params: Params) {
  const zone = await findZone(executor, params.zoneid);
  if (!zone) throw entityNotFound('zoneid', params.zoneid);
  const scope = (params.scope ?? 'cluster').toLowerCase();
  if (scope === 'zone') {
    if (params.hypervisor !== undefined && params.hypervisor.toLowerCase() !== 'kvm') {
      throw invalidParameter('hypervisor', 'must be KVM');
    }
    return { scope: 'ZONE', data_center_id: zone.id };
  }
  if (scope !== 'cluster') throw invalidParameter('scope', 'must be cluster or zone');
  const filter = { zoneUuid: params.zoneid, podUuid: params.podid };
  const { rows } = await listClusterRows(executor, filter, everything);
  const [only, other] = rows;
  const cluster =
    params.clusterid === undefined
      ? other
        ? undefined
        : only
      : rows.find(({ uuid }) => uuid === params.clusterid);
  if (cluster) {
    return { scope: 'CLUSTER', data_center_id: zone.id, pod_id: cluster.pod_id, cluster_id: cluster.id };
  }
  if (params.clusterid !== undefined) throw entityNotFound('clusterid', params.clusterid);
  throw invalidParameter('clusterid', 'must name the cluster of the pool, or scope must be zone');
}

/** Two pools in one directory would remove each other's files. */
async function demandNew(executor: Executor, name: string, place: SharedPoolPlace): Promise<void> {
  const pools = await executor
    .selectFrom('storage_pool')
    .selectAll()
    .where('removed', 'is', null)
    .where('scope', '!=', 'HOST')
    .execute();
  if (pools.some((pool) => pool.name === name)) {
    throw invalidParameter('name', `there is a storage pool ${name} already`);
  }
  const same = pools.find(
    (pool) =>
      pool.pool_type === place.type &&
      pool.path === place.path &&
      pool.host_address === (place.server ?? null),
  );
  if (same) throw invalidParameter('url', `is the storage pool ${same.name} already`);
}

async function takeIntoUse(deps: Deps, pool: Row<'storage_pool'>): Promise<void> {
  const { database, caller } = deps;
  const { reached, asked, problems } = await attachEverywhere(
    deps,
    pool,
    await hostsInScope(database, pool),
    'no host of the scope is Up and connected to this server: a pool needs one that reaches it',
  );
  await database.transaction().execute(async (trx) => {
    await trx.updateTable('storage_pool').set({ status: 'Up' }).where('id', '=', pool.id).execute();
    await recordEvent(trx, {
      type: 'STORAGE.POOL.CREATE',
      level: problems.length > 0 ? 'WARN' : 'INFO',
      description: `storage pool ${pool.name} is there; hosts that reach it: ${reached} of ${asked}${problems.length > 0 ? `; ${problems.join('; ')}` : ''}`,
      userId: caller.userId,
      accountId: caller.accountId,
      resourceType: 'StoragePool',
      resourceUuid: pool.uuid,
    });
  });
}
