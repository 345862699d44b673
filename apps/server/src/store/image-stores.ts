import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';
import type { Row } from './schema.ts';

export interface ImageStoreFilter {
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
  readonly zoneUuid?: string | undefined;
  readonly provider?: string | undefined;
  readonly protocol?: string | undefined;
  readonly readOnly?: boolean | undefined;
}

export async function listImageStoreRows(executor: Executor, filter: ImageStoreFilter, page: Page) {
  let query = executor
    .selectFrom('data_store')
    .innerJoin('data_center', 'data_center.id', 'data_store.data_center_id')
    .where('data_store.role', '=', 'Image')
    .where('data_store.removed', 'is', null);
  const { uuid, name, keyword, zoneUuid, provider, protocol, readOnly } = filter;
  if (uuid !== undefined) query = query.where('data_store.uuid', '=', uuid);
  if (name !== undefined) query = query.where('data_store.name', '=', name);
  if (zoneUuid !== undefined) query = query.where('data_center.uuid', '=', zoneUuid);
  if (readOnly !== undefined) query = query.where('data_store.read_only', '=', readOnly);
  if (keyword !== undefined) query = query.where('data_store.name', 'ilike', containing(keyword));
  if (provider !== undefined)
    query = query.where(sql<boolean>`lower(data_store.provider) = ${provider.toLowerCase()}`);
  if (protocol !== undefined)
    query = query.where(sql<boolean>`split_part(data_store.url, ':', 1) = ${protocol.toLowerCase()}`);
  const selected = query
    .selectAll('data_store')
    .select(['data_center.uuid as zone_uuid', 'data_center.name as zone_name'])
    .orderBy('data_store.id');
  return pageOf(selected, page);
}

export type ImageStoreRow = Awaited<ReturnType<typeof listImageStoreRows>>['rows'][number];

/** An image store, locked until the transaction ends. */
export async function lockImageStore(
  executor: Executor,
  uuid: string,
): Promise<Row<'data_store'> | undefined> {
  return executor
    .selectFrom('data_store')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('role', '=', 'Image')
    .where('removed', 'is', null)
    .forUpdate()
    .executeTakeFirst();
}

/** Machines of a zone that serve images, and so can look after its image stores. */
export async function workersOfZone(executor: Executor, zoneId: number) {
  return executor
    .selectFrom('host')
    .select(['id', 'name'])
    .where('data_center_id', '=', zoneId)
    .where('image_host_url', 'is not', null)
    .where('status', '=', 'Up')
    .where('removed', 'is', null)
    .orderBy('id')
    .execute();
}

/** Pairs of an image store and a machine that could look after it, and is not known to reach it. */
export async function missingStoreLinks(executor: Executor) {
  return executor
    .selectFrom('data_store')
    .innerJoin('host', 'host.data_center_id', 'data_store.data_center_id')
    .leftJoin('storage_pool_host_ref', (join) =>
      join
        .onRef('storage_pool_host_ref.pool_id', '=', 'data_store.id')
        .onRef('storage_pool_host_ref.host_id', '=', 'host.id'),
    )
    .where('data_store.role', '=', 'Image')
    .where('data_store.removed', 'is', null)
    .where('data_store.status', '=', 'Up')
    .where('host.removed', 'is', null)
    .where('host.status', '=', 'Up')
    .where('host.image_host_url', 'is not', null)
    .where('storage_pool_host_ref.pool_id', 'is', null)
    .selectAll('data_store')
    .select(['host.id as host_id', 'host.name as host_name'])
    .execute();
}

/** The image store of a zone that has most space among those that can be written to. */
export async function storeToWriteTo(
  executor: Executor,
  zoneId: number,
): Promise<{ readonly id: number; readonly name: string } | undefined> {
  return executor
    .selectFrom('data_store')
    .select(['id', 'name'])
    .where('role', '=', 'Image')
    .where('data_center_id', '=', zoneId)
    .where('status', '=', 'Up')
    .where('read_only', '=', false)
    .where('removed', 'is', null)
    .where(
      sql<boolean>`exists (select from storage_pool_host_ref r join host on host.id = r.host_id
        where r.pool_id = data_store.id and host.status = 'Up' and host.removed is null)`,
    )
    .orderBy(sql`capacity_bytes - used_bytes`, 'desc')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
}

/**
 * Templates that belong on an image store of a zone and have no copy there, nor a transfer under way, nor one that failed:
 * why it failed is shown until somebody changes the template.
 */
export async function templatesWithoutStore(executor: Executor) {
  const { rows } = await sql<{
    template_id: number;
    uuid: string;
    format: string;
    zone_id: number;
    account_id: number;
    user_id: number;
  }>`
    select t.id as template_id, t.uuid, t.format, z.zone_id, t.account_id,
      (select min(u.id) from "user" u where u.account_id = t.account_id) as user_id
    from vm_template t join template_zone_ref z on z.template_id = t.id and z.removed is null
    where not t.direct_download and t.removed is null
      and exists (select from "user" u where u.account_id = t.account_id)
      and not exists (select from template_spool_ref c join data_store d on d.id = c.pool_id
        where c.template_id = t.id and d.role = 'Image' and d.removed is null and d.data_center_id = z.zone_id
          and not c.marked_for_gc and (c.state in ('Ready', 'Failed') or c.lease_until > now()))
      -- one that could not even begin is not tried again at once
      and not exists (select from async_job j where j.instance_uuid = t.uuid and (j.job_status = 0
        or (j.job_cmd = 'prepareTemplate' and j.job_status = 2 and j.completed > now() - interval '1 minute')))
    order by t.id, z.zone_id
  `.execute(executor);
  return rows;
}

/** The copy on an image store that was looked at longest ago, if that is longer ago than so many hours. */
export async function copyToCheck(executor: Executor, hours: number) {
  return executor
    .selectFrom('template_spool_ref')
    .innerJoin('data_store', 'data_store.id', 'template_spool_ref.pool_id')
    .innerJoin('vm_template', 'vm_template.id', 'template_spool_ref.template_id')
    .where('data_store.role', '=', 'Image')
    .where('data_store.removed', 'is', null)
    .where('template_spool_ref.state', '=', 'Ready')
    .where('template_spool_ref.marked_for_gc', '=', false)
    .where('template_spool_ref.file_digest', 'is not', null)
    .where(
      sql<boolean>`coalesce(template_spool_ref.checked, 'epoch') < now() - make_interval(hours => ${hours})`,
    )
    .selectAll('template_spool_ref')
    .select([
      'data_store.name as store_name',
      'data_store.uuid as store_uuid',
      'vm_template.name as template_name',
      'vm_template.uuid as template_uuid',
      'vm_template.account_id',
      'vm_template.format',
    ])
    .orderBy(sql`template_spool_ref.checked nulls first`)
    .limit(1)
    .executeTakeFirst();
}

/** Machines that look after image stores, each with the first zone where it does. */
export async function listWorkerRows(
  executor: Executor,
  filter: {
    readonly uuid?: string | undefined;
    readonly name?: string | undefined;
    readonly keyword?: string | undefined;
    readonly podUuid?: string | undefined;
    readonly zoneUuid?: string | undefined;
    readonly state?: string | undefined;
  },
  page: Page,
) {
  let query = executor
    .selectFrom('host')
    .innerJoin('host_pod_ref', 'host_pod_ref.id', 'host.pod_id')
    .innerJoin('data_center', 'data_center.id', 'host.data_center_id')
    .where('host.removed', 'is', null)
    .where(
      sql<boolean>`exists (select from storage_pool_host_ref r join data_store d on d.id = r.pool_id
        where r.host_id = host.id and d.role = 'Image' and d.removed is null)`,
    );
  const { uuid, name, keyword, podUuid, zoneUuid, state } = filter;
  if (uuid !== undefined) query = query.where('host.uuid', '=', uuid);
  if (name !== undefined) query = query.where(sql<boolean>`${workerName} = ${name}`);
  if (keyword !== undefined) query = query.where(sql<boolean>`${workerName} ilike ${containing(keyword)}`);
  if (podUuid !== undefined) query = query.where('host_pod_ref.uuid', '=', podUuid);
  if (zoneUuid !== undefined) query = query.where('data_center.uuid', '=', zoneUuid);
  if (state !== undefined)
    query = query.where(sql<boolean>`(host.status = 'Up') = (${state.toLowerCase()} = 'running')`);
  const selected = query
    .selectAll('host')
    .select([
      workerName.as('worker_name'),
      'host_pod_ref.uuid as pod_uuid',
      'host_pod_ref.name as pod_name',
      'data_center.uuid as zone_uuid',
      'data_center.name as zone_name',
    ])
    .orderBy('host.id');
  return pageOf(selected, page);
}

/** As CloudStack names secondary storage VMs. */
const workerName = sql<string>`('s-' || host.id || '-VM')`;

export type WorkerRow = Awaited<ReturnType<typeof listWorkerRows>>['rows'][number];
