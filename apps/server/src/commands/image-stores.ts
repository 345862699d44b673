import { randomUUID } from 'node:crypto';
import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import { imageStorePlace } from '../domain/image-store-url.ts';
import { displayableName } from '../domain/template-registration.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { listImageStoreRows, listWorkerRows, lockImageStore, workersOfZone } from '../store/image-stores.ts';
import { everything } from '../store/paging.ts';
import type { Row } from '../store/schema.ts';
import { findZone, listZoneRows } from '../store/zone-list.ts';
import { attachEverywhere } from './attach-everywhere.ts';
import { type Caller, implement } from './command.ts';
import { clearPool } from './delete-storage-pool.ts';
import { pageFrom } from './page.ts';
import { imageStoreEntity, loadImageStore, systemVmEntity } from './responses/image-store.ts';

/** Makes an image store. Every machine of its zone that serves images is asked to reach it, and one at least must. */
export const addImageStore = implement(specs.addImageStore, async (context) => {
  const { params, database, caller } = context;
  const { provider, url, place } = imageStorePlace(params.provider, params.url, params.details ?? {});
  const name = displayableName('name', params.name ?? url);
  const store = await database.transaction().execute(async (trx) => {
    const zone = await zoneOf(trx, params.zoneid);
    await demandNew(trx, { name, url });
    return trx
      .insertInto('data_store')
      .values({
        uuid: randomUUID(),
        role: 'Image',
        name,
        provider,
        url,
        pool_type: place.type,
        path: place.path,
        host_address: place.server ?? null,
        mount_options: place.mountOptions ?? null,
        scope: 'ZONE',
        data_center_id: zone.id,
        status: 'Initialized',
      })
      .returningAll()
      .executeTakeFirstOrThrow();
  });
  const { reached, asked, problems } = await attachEverywhere(
    context,
    store,
    await workersOfZone(database, store.data_center_id),
    'no machine of the zone serves images and is connected to this server: start an agent with --role image-store, or set MILLRACE_IMAGE_LISTEN of a host',
  );
  await database.transaction().execute(async (trx) => {
    await trx.updateTable('data_store').set({ status: 'Up' }).where('id', '=', store.id).execute();
    await noteStore(trx, caller, store, {
      type: 'IMAGE.STORE.CREATE',
      what: `is there; machines that look after it: ${reached} of ${asked}`,
      problems,
    });
  });
  return { object: await loadImageStore(database, store.uuid) };
});

export const listImageStores = implement(specs.listImageStores, async ({ params, database }) => {
  const { id, name, keyword, zoneid, provider, protocol, readonly } = params;
  const filter = { uuid: id, name, keyword, zoneUuid: zoneid, provider, protocol, readOnly: readonly };
  const { rows, count } = await listImageStoreRows(database, filter, await pageFrom(database, params));
  return { list: rows.map(imageStoreEntity), count };
});

export const updateImageStore = implement(specs.updateImageStore, async ({ params, database, caller }) => {
  const { id, readonly } = params;
  const name = params.name === undefined ? undefined : displayableName('name', params.name);
  await database.transaction().execute(async (trx) => {
    const store = await lockImageStore(trx, id);
    if (!store) throw entityNotFound('id', id);
    if (name !== undefined && name !== store.name) await demandNew(trx, { name });
    await trx
      .updateTable('data_store')
      .set({ name: name ?? store.name, read_only: readonly ?? store.read_only })
      .where('id', '=', store.id)
      .execute();
    const what = (readonly ?? store.read_only) ? 'takes no more images' : 'takes images';
    await noteStore(trx, caller, store, { type: 'IMAGE.STORE.UPDATE', what, problems: [] });
  });
  return { object: await loadImageStore(database, id) };
});

/**
 * Takes an image store out of the cloud. What it has alone must not be lost by one call; of a store that no machine reaches
 * any more nothing can be lost.
 */
export const deleteImageStore = implement(specs.deleteImageStore, async (context) => {
  const { params, database, caller, agents } = context;
  const store = await database.transaction().execute(async (trx) => {
    const found = await lockImageStore(trx, params.id);
    if (!found) throw entityNotFound('id', params.id);
    const links = await trx
      .selectFrom('storage_pool_host_ref')
      .select('host_id')
      .where('pool_id', '=', found.id)
      .execute();
    if (links.some(({ host_id }) => agents.isConnected(host_id))) await demandDispensable(trx, found);
    await trx.updateTable('data_store').set({ status: 'Removed' }).where('id', '=', found.id).execute();
    return found;
  });
  const left = await clearPool(context, store);
  await database.transaction().execute(async (trx) => {
    await trx.deleteFrom('template_spool_ref').where('pool_id', '=', store.id).execute();
    await trx.deleteFrom('storage_pool_host_ref').where('pool_id', '=', store.id).execute();
    await trx.updateTable('data_store').set({ removed: new Date() }).where('id', '=', store.id).execute();
    await noteStore(trx, caller, store, { type: 'IMAGE.STORE.DELETE', what: 'was deleted', problems: left });
  });
  return { success: true };
});

export const listSystemVms = implement(specs.listSystemVms, async ({ params, database }) => {
  const { id, hostid, name, keyword, podid, zoneid, state, systemvmtype, storageid } = params;
  const asksForOthers = systemvmtype !== undefined && systemvmtype.toLowerCase() !== 'secondarystoragevm';
  // each is its host
  const contradicts = id !== undefined && hostid !== undefined && id !== hostid;
  if (asksForOthers || contradicts || storageid !== undefined) return { list: [], count: 0 };
  const filter = { uuid: id ?? hostid, name, keyword, podUuid: podid, zoneUuid: zoneid, state };
  const { rows, count } = await listWorkerRows(database, filter, await pageFrom(database, params));
  return { list: rows.map(systemVmEntity), count };
});

async function zoneOf(executor: Executor, uuid: string | undefined): Promise<{ readonly id: number }> {
  if (uuid !== undefined) {
    const zone = await findZone(executor, uuid);
    if (zone) return zone;
    throw entityNotFound('zoneid', uuid);
  }
  const { rows } = await listZoneRows(executor, {}, everything);
  if (rows.length === 1) return rows[0]!;
  throw invalidParameter('zoneid', 'must name the zone of the image store: there is not exactly one');
}

async function demandNew(
  executor: Executor,
  { name, url }: { readonly name: string; readonly url?: string },
): Promise<void> {
  const stores = await executor
    .selectFrom('data_store')
    .select(['name', 'url'])
    .where('role', '=', 'Image')
    .where('removed', 'is', null)
    .execute();
  if (stores.some((store) => store.name === name))
    throw invalidParameter('name', `there is an image store ${name} already`);
  const same = url !== undefined && stores.find((store) => store.url === url);
  if (same) throw invalidParameter('url', `is the image store ${same.name} already`);
}

/** @throws ApiError 536 when a template would be lost, or one is on its way */
async function demandDispensable(trx: Executor, store: Row<'data_store'>): Promise<void> {
  const copies = await trx
    .selectFrom('template_spool_ref as copy')
    .innerJoin('vm_template', 'vm_template.id', 'copy.template_id')
    .where('copy.pool_id', '=', store.id)
    .where('vm_template.removed', 'is', null)
    .select(({ exists, selectFrom }) => [
      'vm_template.name',
      'vm_template.direct_download',
      'copy.lease_owner',
      exists(
        selectFrom('template_spool_ref as other')
          .innerJoin('data_store', 'data_store.id', 'other.pool_id')
          .whereRef('other.template_id', '=', 'copy.template_id')
          .whereRef('other.pool_id', '!=', 'copy.pool_id')
          .where('data_store.role', '=', 'Image')
          .where('data_store.removed', 'is', null)
          .where('other.state', '=', 'Ready')
          .select('other.id'),
      ).as('elsewhere'),
    ])
    .execute();
  const moving = copies.find(({ lease_owner }) => lease_owner !== null);
  if (moving)
    throw new ApiError(
      'RESOURCE_IN_USE_ERROR',
      `template ${moving.name} is on its way to image store ${store.name}: wait for it`,
    );
  const only = copies.find(({ direct_download, elsewhere }) => !direct_download && !elsewhere);
  if (only)
    throw new ApiError(
      'RESOURCE_IN_USE_ERROR',
      `image store ${store.name} has the only stored copy of template ${only.name}: add another image store and make this one read only, delete the template, or let hosts download it (updateTemplate directdownload=true)`,
    );
}

async function noteStore(
  trx: Executor,
  caller: Caller,
  store: Row<'data_store'>,
  event: {
    readonly type: 'IMAGE.STORE.CREATE' | 'IMAGE.STORE.UPDATE' | 'IMAGE.STORE.DELETE';
    readonly what: string;
    readonly problems: readonly string[];
  },
): Promise<void> {
  const { type, what, problems } = event;
  await recordEvent(trx, {
    type,
    level: problems.length > 0 ? 'WARN' : 'INFO',
    description: `image store ${store.name} ${what}${problems.length > 0 ? `; ${problems.join('; ')}` : ''}`,
    userId: caller.userId,
    accountId: caller.accountId,
    resourceType: 'ImageStore',
    resourceUuid: store.uuid,
  });
}
