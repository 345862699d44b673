import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing, type OwnerScope, ownedBy } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';
import { taggedWith } from './resource-tags.ts';

export interface VolumeFilter {
  readonly scope: OwnerScope;
  readonly volumeIds?: readonly number[] | undefined;
  readonly uuids?: readonly string[] | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
  readonly type?: string | undefined;
  readonly state?: string | undefined;
  readonly vmUuid?: string | undefined;
  readonly zoneUuid?: string | undefined;
  readonly podUuid?: string | undefined;
  readonly clusterUuid?: string | undefined;
  readonly hostUuid?: string | undefined;
  readonly poolUuid?: string | undefined;
  readonly diskOfferingUuid?: string | undefined;
  readonly removed?: boolean | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

const columns = [
  'volumes.id',
  'volumes.uuid',
  'volumes.name',
  'volumes.volume_type',
  'volumes.state',
  'volumes.size',
  'volumes.physical_size',
  'volumes.path',
  'volumes.device_id',
  'volumes.created',
  'volumes.attached',
  'disk_offering.uuid as disk_offering_uuid',
  'disk_offering.name as disk_offering_name',
  'disk_offering.display_text as disk_offering_display_text',
  'account.account_name',
  'domain.uuid as domain_uuid',
  'domain.name as domain_name',
  'domain.path as domain_path',
  'data_center.uuid as zone_uuid',
  'data_center.name as zone_name',
  'vm_instance.uuid as vm_uuid',
  'vm_instance.name as vm_name',
  'vm_instance.display_name as vm_display_name',
  'vm_instance.state as vm_state',
  'vm_template.uuid as template_uuid',
  'vm_template.name as template_name',
  'vm_template.display_text as template_display_text',
  'service_offering.uuid as offering_uuid',
  'service_offering.name as offering_name',
  'service_offering.display_text as offering_display_text',
  'storage_pool.uuid as pool_uuid',
  'storage_pool.name as pool_name',
  'storage_pool.scope as pool_scope',
  'cluster.uuid as cluster_uuid',
  'cluster.name as cluster_name',
  'host_pod_ref.uuid as pod_uuid',
  'host_pod_ref.name as pod_name',
] as const;

export async function listVolumeRows(executor: Executor, filter: VolumeFilter, page: Page) {
  return pageOf(filtered(executor, filter).select(columns).orderBy('volumes.id', 'desc'), page);
}

export type VolumeRow = Awaited<ReturnType<typeof listVolumeRows>>['rows'][number];

function filtered(executor: Executor, filter: VolumeFilter) {
  let query = executor
    .selectFrom('volumes')
    .innerJoin('account', 'account.id', 'volumes.account_id')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .innerJoin('data_center', 'data_center.id', 'volumes.data_center_id')
    .leftJoin('vm_instance', 'vm_instance.id', 'volumes.instance_id')
    .leftJoin('service_offering', 'service_offering.id', 'vm_instance.service_offering_id')
    .leftJoin('disk_offering', 'disk_offering.id', 'volumes.disk_offering_id')
    .leftJoin('vm_template as image', 'image.id', 'volumes.template_id')
    // a disk of an image that was replaced is one of the template that had it
    .leftJoin('vm_template', (join) =>
      join.on(sql<boolean>`vm_template.id = coalesce(image.superseded_by, image.id)`),
    )
    .leftJoin('storage_pool', 'storage_pool.id', 'volumes.pool_id')
    .leftJoin('cluster', 'cluster.id', 'storage_pool.cluster_id')
    .leftJoin('host_pod_ref', 'host_pod_ref.id', 'storage_pool.pod_id')
    .leftJoin('host', 'host.id', 'vm_instance.host_id')
    .where(ownedBy(filter.scope));
  if (!filter.removed) query = query.where('volumes.removed', 'is', null);
  if (filter.volumeIds) query = query.where('volumes.id', '=', sql<number>`any(${filter.volumeIds})`);
  if (filter.uuids) query = query.where('volumes.uuid', '=', sql<string>`any(${filter.uuids}::uuid[])`);
  if (filter.keyword !== undefined) {
    query = query.where('volumes.name', 'ilike', containing(filter.keyword));
  }
  if (filter.tags) query = query.where(taggedWith('volumes.uuid', filter.tags));
  const equal = [
    ['volumes.name', filter.name],
    ['volumes.volume_type', filter.type?.toUpperCase()],
    ['volumes.state', filter.state],
    ['vm_instance.uuid', filter.vmUuid],
    ['data_center.uuid', filter.zoneUuid],
    ['host_pod_ref.uuid', filter.podUuid],
    ['cluster.uuid', filter.clusterUuid],
    ['host.uuid', filter.hostUuid],
    ['storage_pool.uuid', filter.poolUuid],
    ['disk_offering.uuid', filter.diskOfferingUuid],
  ] as const;
  for (const [column, value] of equal) {
    if (value !== undefined) query = query.where(column, '=', value);
  }
  return query;
}

/** The pool of the root disk that an instance has now. */
export async function rootPoolOf(executor: Executor, vmId: number) {
  return executor
    .selectFrom('volumes')
    .innerJoin('storage_pool', 'storage_pool.id', 'volumes.pool_id')
    .where('volumes.instance_id', '=', vmId)
    .where('volumes.volume_type', '=', 'ROOT')
    .where('volumes.removed', 'is', null)
    .select(['storage_pool.name', 'storage_pool.scope', 'storage_pool.tags'])
    .orderBy('volumes.id', 'desc')
    .executeTakeFirst();
}
