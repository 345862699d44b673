import { sql } from 'kysely';
import { jobStatus } from './async-jobs.ts';
import type { Executor } from './database.ts';
import { containing, type OwnerScope, ownedBy } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';
import { taggedWith } from './resource-tags.ts';
import type { NewRow, Row } from './schema.ts';

/** What lists of instances can be ordered by. */
export const virtualMachineOrders = ['name', 'state', 'created'] as const;

export interface VirtualMachineOrder {
  readonly by: (typeof virtualMachineOrders)[number];
  readonly descending: boolean;
}

export interface VirtualMachineFilter {
  readonly scope: OwnerScope;
  readonly vmIds?: readonly number[] | undefined;
  readonly uuids?: readonly string[] | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
  /** States to keep; undefined: every state. */
  readonly states?: readonly string[] | undefined;
  readonly zoneUuid?: string | undefined;
  readonly podUuid?: string | undefined;
  readonly clusterUuid?: string | undefined;
  readonly hostUuid?: string | undefined;
  readonly poolUuid?: string | undefined;
  readonly templateUuid?: string | undefined;
  readonly isoUuid?: string | undefined;
  readonly networkUuid?: string | undefined;
  readonly serviceOfferingUuid?: string | undefined;
  readonly userUuid?: string | undefined;
  readonly keyPair?: string | undefined;
  readonly haEnabled?: boolean | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Newest first when absent. */
  readonly order?: VirtualMachineOrder | undefined;
  /** Expunged instances too. */
  readonly removed?: boolean | undefined;
}

/** Instances with the names of everything they refer to, newest first. */
export async function listVirtualMachineRows(executor: Executor, filter: VirtualMachineFilter, page: Page) {
  const { by, descending } = filter.order ?? { by: 'created', descending: true };
  const direction = descending ? 'desc' : 'asc';
  const all = filtered(executor, filter).select('vm_instance.id');
  // IDs are given in the order of creation, and make every other order a definite one
  const found = (by === 'created' ? all : all.orderBy(shownAs[by], direction)).orderBy(
    'vm_instance.id',
    direction,
  );
  const { rows: ids, count } = await pageOf(found, page);
  if (ids.length === 0) return { rows: [], count };
  const rows = await joined(executor)
    .where('vm_instance.id', '=', sql<number>`any(${ids.map(({ id }) => id)})`)
    .select(columns)
    .execute();
  const place = new Map(ids.map(({ id }, index) => [id, index]));
  return { rows: rows.sort((a, b) => (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0)), count };
}

/** What a list shows of an instance under these words. */
const shownAs = {
  name: sql<string>`lower(coalesce(vm_instance.display_name, vm_instance.name))`,
  state: sql<string>`vm_instance.state`,
};

export type VirtualMachineRow = Awaited<ReturnType<typeof listVirtualMachineRows>>['rows'][number];

const columns = [
  'vm_instance.id',
  'vm_instance.host_id',
  'vm_instance.last_host_id',
  'vm_instance.uuid',
  'vm_instance.name',
  'vm_instance.display_name',
  'vm_instance.instance_name',
  'vm_instance.state',
  'vm_instance.error_text',
  'vm_instance.ha_enabled',
  'vm_instance.ssh_keys',
  'vm_instance.user_data_details',
  'user_data.uuid as user_data_uuid',
  'user_data.name as user_data_name',
  'vm_template.user_data_link_policy',
  'vm_instance.created',
  'vm_instance.update_time',
  'account.account_name',
  'domain.uuid as domain_uuid',
  'domain.name as domain_name',
  'domain.path as domain_path',
  'user.uuid as user_uuid',
  'user.username',
  'data_center.uuid as zone_uuid',
  'data_center.name as zone_name',
  'host.uuid as host_uuid',
  'host.name as host_name',
  'vm_template.uuid as template_uuid',
  'vm_template.name as template_name',
  'vm_template.display_text as template_display_text',
  'vm_template.format as template_format',
  'vm_template.type as template_type',
  'vm_template.arch',
  'vm_template.enable_password',
  'vm_template.dynamically_scalable',
  'iso.uuid as iso_uuid',
  'iso.name as iso_name',
  'iso.display_text as iso_display_text',
  'service_offering.uuid as offering_uuid',
  'service_offering.name as offering_name',
  'service_offering.cpu',
  'service_offering.speed',
  'service_offering.ram_size',
  'guest_os.uuid as os_uuid',
  'guest_os.display_name as os_name',
] as const;

/** Everything that a row shows. */
function joined(executor: Executor) {
  return executor
    .selectFrom('vm_instance')
    .innerJoin('account', 'account.id', 'vm_instance.account_id')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .innerJoin('user', 'user.id', 'vm_instance.user_id')
    .innerJoin('data_center', 'data_center.id', 'vm_instance.data_center_id')
    .innerJoin('vm_template', 'vm_template.id', 'vm_instance.vm_template_id')
    .innerJoin('service_offering', 'service_offering.id', 'vm_instance.service_offering_id')
    .innerJoin('guest_os', 'guest_os.id', 'vm_instance.guest_os_id')
    .leftJoin('vm_template as iso_image', 'iso_image.id', 'vm_instance.iso_id')
    .leftJoin('vm_template as iso', (join) =>
      join.on(sql<boolean>`iso.id = coalesce(iso_image.superseded_by, iso_image.id)`),
    )
    .leftJoin('user_data', 'user_data.id', 'vm_instance.user_data_id')
    .leftJoin('host', 'host.id', 'vm_instance.host_id')
    .leftJoin('host_pod_ref', 'host_pod_ref.id', 'vm_instance.pod_id')
    .leftJoin('cluster', 'cluster.id', 'host.cluster_id');
}

/**
 * Everything that a filter can ask about. PostgreSQL leaves out a left join that neither the filter nor the answer needs, so
 * that counting, and skipping the pages before, read the instances alone; the columns that are joined on are never null.
 */
function findable(executor: Executor) {
  return executor
    .selectFrom('vm_instance')
    .leftJoin('account', 'account.id', 'vm_instance.account_id')
    .leftJoin('domain', 'domain.id', 'account.domain_id')
    .leftJoin('user', 'user.id', 'vm_instance.user_id')
    .leftJoin('data_center', 'data_center.id', 'vm_instance.data_center_id')
    .leftJoin('vm_template', 'vm_template.id', 'vm_instance.vm_template_id')
    .leftJoin('service_offering', 'service_offering.id', 'vm_instance.service_offering_id')
    .leftJoin('guest_os', 'guest_os.id', 'vm_instance.guest_os_id')
    .leftJoin('vm_template as iso_image', 'iso_image.id', 'vm_instance.iso_id')
    .leftJoin('vm_template as iso', (join) =>
      join.on(sql<boolean>`iso.id = coalesce(iso_image.superseded_by, iso_image.id)`),
    )
    .leftJoin('user_data', 'user_data.id', 'vm_instance.user_data_id')
    .leftJoin('host', 'host.id', 'vm_instance.host_id')
    .leftJoin('host_pod_ref', 'host_pod_ref.id', 'vm_instance.pod_id')
    .leftJoin('cluster', 'cluster.id', 'host.cluster_id');
}

function filtered(executor: Executor, filter: VirtualMachineFilter) {
  let query = findable(executor).where(ownedBy(filter.scope));
  if (!filter.removed) query = query.where('vm_instance.removed', 'is', null);
  if (filter.vmIds) query = query.where('vm_instance.id', '=', sql<number>`any(${filter.vmIds})`);
  if (filter.uuids) query = query.where('vm_instance.uuid', '=', sql<string>`any(${filter.uuids}::uuid[])`);
  if (filter.states) query = query.where('vm_instance.state', '=', sql<string>`any(${filter.states})`);
  for (const text of [filter.name, filter.keyword]) {
    if (text === undefined) continue;
    const pattern = containing(text);
    query = query.where((eb) =>
      eb.or([eb('vm_instance.name', 'ilike', pattern), eb('vm_instance.display_name', 'ilike', pattern)]),
    );
  }
  const equal = [
    ['data_center.uuid', filter.zoneUuid],
    ['host_pod_ref.uuid', filter.podUuid],
    ['cluster.uuid', filter.clusterUuid],
    ['host.uuid', filter.hostUuid],
    ['vm_template.uuid', filter.templateUuid],
    ['iso.uuid', filter.isoUuid],
    ['service_offering.uuid', filter.serviceOfferingUuid],
    ['user.uuid', filter.userUuid],
    ['vm_instance.ha_enabled', filter.haEnabled],
  ] as const;
  for (const [column, value] of equal) {
    if (value !== undefined) query = query.where(column, '=', value);
  }
  const { keyPair, networkUuid, poolUuid, tags } = filter;
  if (tags) query = query.where(taggedWith('vm_instance.uuid', tags));
  if (keyPair !== undefined) {
    const wanted = JSON.stringify([{ name: keyPair }]);
    query = query.where(sql<boolean>`vm_instance.ssh_keys @> ${wanted}::jsonb`);
  }
  if (networkUuid !== undefined) {
    query = query.where(
      sql<boolean>`exists (select from nics join networks on networks.id = nics.network_id
        where nics.instance_id = vm_instance.id and nics.removed is null and networks.uuid = ${networkUuid})`,
    );
  }
  if (poolUuid !== undefined) {
    query = query.where(
      sql<boolean>`exists (select from volumes join storage_pool on storage_pool.id = volumes.pool_id
        where volumes.instance_id = vm_instance.id and volumes.removed is null and storage_pool.uuid = ${poolUuid})`,
    );
  }
  return query;
}

/** The network cards of instances, the first of each first. */
export async function nicsOf(executor: Executor, vmIds: readonly number[]) {
  return executor
    .selectFrom('nics')
    .innerJoin('networks', 'networks.id', 'nics.network_id')
    .where('nics.instance_id', '=', sql<number>`any(${vmIds})`)
    .where('nics.removed', 'is', null)
    .select([
      'nics.uuid',
      'nics.instance_id',
      'nics.mac_address',
      'nics.ip4_address',
      'nics.netmask',
      'nics.gateway',
      'nics.device_id',
      'nics.default_nic',
      'networks.uuid as network_uuid',
      'networks.name as network_name',
      'networks.guest_type',
      'networks.traffic_type',
    ])
    .orderBy('nics.instance_id')
    .orderBy('nics.device_id')
    .execute();
}

/** The details of instances. */
export async function vmDetailsOf(executor: Executor, vmIds: readonly number[]) {
  return executor
    .selectFrom('vm_instance_details')
    .select(['vm_id', 'name', 'value'])
    .where('vm_id', '=', sql<number>`any(${vmIds})`)
    .orderBy('id')
    .execute();
}

export type NicRow = Awaited<ReturnType<typeof nicsOf>>[number];

/** The root volumes of instances with the type of their pool. */
export async function rootVolumesOf(executor: Executor, vmIds: readonly number[]) {
  return executor
    .selectFrom('volumes')
    .leftJoin('storage_pool', 'storage_pool.id', 'volumes.pool_id')
    .where('volumes.instance_id', '=', sql<number>`any(${vmIds})`)
    .where('volumes.volume_type', '=', 'ROOT')
    .where('volumes.removed', 'is', null)
    .select(['volumes.instance_id', 'volumes.device_id', 'storage_pool.pool_type'])
    .execute();
}

/** The latest job of each entity. */
export async function latestJobsOf(executor: Executor, uuids: readonly string[]) {
  const rows = await executor
    .selectFrom('async_job')
    .distinctOn('instance_uuid')
    .where('instance_uuid', '=', sql<string>`any(${uuids}::uuid[])`)
    .select(['instance_uuid', 'uuid', 'job_status'])
    .orderBy('instance_uuid')
    .orderBy('id', 'desc')
    .execute();
  return new Map(rows.map((row) => [row.instance_uuid, { jobid: row.uuid, jobstatus: row.job_status }]));
}

/** Locks an instance against other requests until the transaction ends. */
export async function lockVirtualMachine(
  executor: Executor,
  uuid: string,
  scope: OwnerScope,
): Promise<Row<'vm_instance'> | undefined> {
  return executor
    .selectFrom('vm_instance')
    .innerJoin('account', 'account.id', 'vm_instance.account_id')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .where('vm_instance.uuid', '=', uuid)
    .where('vm_instance.removed', 'is', null)
    .where(ownedBy(scope))
    .selectAll('vm_instance')
    .forUpdate('vm_instance')
    .executeTakeFirst();
}

/** The pending job of an entity, if there is one. */
export async function pendingJobOf(executor: Executor, instanceUuid: string) {
  return executor
    .selectFrom('async_job')
    .select(['uuid', 'job_cmd'])
    .where('instance_uuid', '=', instanceUuid)
    .where('job_status', '=', jobStatus.pending)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
}

/** Inserts an instance, naming it on its host after its own number. @returns its id */
export async function insertVirtualMachine(
  executor: Executor,
  vm: Omit<NewRow<'vm_instance'>, 'instance_name'>,
  suffix: string,
): Promise<number> {
  const { id } = await executor
    .insertInto('vm_instance')
    .values({ ...vm, instance_name: `new-${vm.uuid}` })
    .returning('id')
    .executeTakeFirstOrThrow();
  await executor
    .updateTable('vm_instance')
    .set({ instance_name: `i-${vm.account_id}-${id}-${suffix}` })
    .where('id', '=', id)
    .execute();
  return id;
}
