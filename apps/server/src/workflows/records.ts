import type { ImageSourceMessage, PoolReference, VmSpec } from '@millrace/agent-protocol';
import { MillraceError } from '@millrace/core';
import { imageSourceOf, isTemplateFormat, type TemplateFormat } from '../domain/template-registration.ts';
import { dataVolumesOf } from '../store/data-volumes.ts';
import type { Executor } from '../store/database.ts';
import { networkOf } from '../store/networks.ts';
import type { Row } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { poolReferenceColumns, sharedPoolReference } from '../store/shared-pools.ts';

/** An instance with what it is made from. */
export interface VmRecord {
  readonly vm: Row<'vm_instance'>;
  readonly template: Row<'vm_template'>;
  /** In its CD-ROM drive. */
  readonly iso: Row<'vm_template'> | undefined;
  readonly offering: Row<'service_offering'>;
}

export async function loadVm(executor: Executor, vmId: number): Promise<VmRecord> {
  const vm = await executor
    .selectFrom('vm_instance')
    .selectAll()
    .where('id', '=', vmId)
    .executeTakeFirstOrThrow();
  const template = await loadTemplateRow(executor, vm.vm_template_id);
  const offering = await executor
    .selectFrom('service_offering')
    .selectAll()
    .where('id', '=', vm.service_offering_id)
    .executeTakeFirstOrThrow();
  const iso = vm.iso_id === null ? undefined : await loadTemplateRow(executor, vm.iso_id);
  return { vm, template, iso, offering };
}

export async function loadTemplateRow(executor: Executor, templateId: number): Promise<Row<'vm_template'>> {
  return executor
    .selectFrom('vm_template')
    .selectAll()
    .where('id', '=', templateId)
    .executeTakeFirstOrThrow();
}

/** A host and a pool, or an image store, that it reaches. */
export interface Place {
  readonly hostId: number;
  readonly poolId: number;
  readonly hostName: string;
  readonly poolName: string;
  readonly podId: number;
  readonly zoneId: number;
  /** `Image`: the pool is an image store. */
  readonly role: 'Primary' | 'Image';
  readonly pool: PoolReference;
  /** Labels of the host, nearest first: its own location, then its cluster's, pod's, zone's. */
  readonly location: readonly string[];
}

export async function loadPlace(executor: Executor, hostId: number, poolId: number): Promise<Place> {
  const row = await executor
    .selectFrom('storage_pool_host_ref')
    .innerJoin('data_store', 'data_store.id', 'storage_pool_host_ref.pool_id')
    .innerJoin('host', 'host.id', 'storage_pool_host_ref.host_id')
    .innerJoin('cluster', 'cluster.id', 'host.cluster_id')
    .innerJoin('host_pod_ref', 'host_pod_ref.id', 'host.pod_id')
    .innerJoin('data_center', 'data_center.id', 'host.data_center_id')
    .where('storage_pool_host_ref.host_id', '=', hostId)
    .where('storage_pool_host_ref.pool_id', '=', poolId)
    .select([
      ...poolReferenceColumns.map((name) => `data_store.${name}` as const),
      'data_store.name as pool_name',
      'data_store.role',
      'data_store.data_center_id as zone_id',
      'storage_pool_host_ref.local_path',
      'host.name as host_name',
      'host.pod_id',
      'host.location as host_location',
      'cluster.location as cluster_location',
      'host_pod_ref.location as pod_location',
      'data_center.location as zone_location',
    ])
    .executeTakeFirst();
  if (!row) throw new MillraceError('POOL_UNREACHABLE', 'the host does not reach the storage pool any more');
  return {
    hostId,
    poolId,
    hostName: row.host_name,
    poolName: row.pool_name,
    podId: row.pod_id,
    zoneId: row.zone_id,
    role: row.role,
    pool: poolReferenceOf(row),
    location: [row.host_location, row.cluster_location, row.pod_location, row.zone_location].filter(
      (label) => label !== null,
    ),
  };
}

/** A pool as a host is told of it: a local one by the directory that this host has for it. */
export function poolReferenceOf(
  row: Parameters<typeof sharedPoolReference>[0] & { readonly local_path: string },
): PoolReference {
  const { uuid, pool_type: type } = row;
  const reference =
    type === 'Filesystem' ? ({ uuid, type, path: row.local_path } as const) : sharedPoolReference(row);
  if (reference) return reference;
  throw new MillraceError('POOL_TYPE_UNSUPPORTED', `storage pools of the type ${type} are not supported`);
}

/** Where hosts fetch a template from. Holds secrets: for the agent alone. */
export async function templateSource(
  executor: Executor,
  template: Row<'vm_template'>,
): Promise<ImageSourceMessage> {
  const details = await executor
    .selectFrom('vm_template_details')
    .select(['name', 'value'])
    .where('template_id', '=', template.id)
    .execute();
  const { url, checksum } = template;
  return imageSourceOf(
    { url, format: knownFormat(template), checksum: checksum ?? undefined },
    Object.fromEntries(details.map(({ name, value }) => [name, value])),
  );
}

function knownFormat({ format }: Pick<Row<'vm_template'>, 'format'>): TemplateFormat | 'ISO' {
  const name = format.toUpperCase();
  if (name === 'ISO' || isTemplateFormat(name)) return name;
  throw new MillraceError('FORMAT_UNSUPPORTED', `templates of the format ${format} are not supported`);
}

/** What pools store of a template: what they do not store becomes qcow2. */
export function imageFormatOf(template: Pick<Row<'vm_template'>, 'format'>): 'qcow2' | 'raw' | 'iso' {
  const format = knownFormat(template);
  return format === 'RAW' ? 'raw' : format === 'ISO' ? 'iso' : 'qcow2';
}

/** The template that a disk made from this one stands on; a disk for an ISO is empty and stands on nothing. */
export function diskTemplateId(template: Pick<Row<'vm_template'>, 'id' | 'format'>): number | null {
  return imageFormatOf(template) === 'iso' ? null : template.id;
}

/** What a host makes a disk on, when it makes one from this template. */
export function backingOf(
  template: NamedImage,
  installPath: string | undefined,
): { readonly installPath: string; readonly format: 'qcow2' | 'raw' } | undefined {
  const format = imageFormatOf(template);
  return format === 'iso' ? undefined : { installPath: installPath ?? templateFileName(template), format };
}

/** The name of a template's file on every pool. */
export function templateFileName(template: NamedImage): string {
  return `${template.image_uuid ?? template.uuid}.${imageFormatOf(template)}`;
}

type NamedImage = Pick<Row<'vm_template'>, 'uuid' | 'image_uuid' | 'format'>;

/** The root disk that an instance has now. */
export async function rootVolumeOf(executor: Executor, vmId: number): Promise<Row<'volumes'> | undefined> {
  return executor
    .selectFrom('volumes')
    .selectAll()
    .where('instance_id', '=', vmId)
    .where('volume_type', '=', 'ROOT')
    .where('removed', 'is', null)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** What a host needs to know to run an instance. */
export async function loadVmSpec(
  executor: Executor,
  record: VmRecord,
  pool: PoolReference,
  volume: { readonly uuid: string; readonly path: string },
): Promise<VmSpec> {
  const { vm, offering } = record;
  // looked up now: the record may have been read before the drive was changed
  const iso = await executor
    .selectFrom('vm_template')
    .innerJoin('vm_instance', 'vm_instance.iso_id', 'vm_template.id')
    .where('vm_instance.id', '=', vm.id)
    .select(['vm_template.uuid', 'vm_template.image_uuid', 'vm_template.format', 'vm_template.bootable'])
    .executeTakeFirst();
  const nics = await executor
    .selectFrom('nics')
    .innerJoin('networks', 'networks.id', 'nics.network_id')
    .where('nics.instance_id', '=', vm.id)
    .where('nics.removed', 'is', null)
    .innerJoin('data_center', 'data_center.id', 'networks.data_center_id')
    .selectAll('networks')
    .select([
      'nics.mac_address',
      'nics.ip4_address',
      'nics.netmask as nic_netmask',
      'nics.gateway as nic_gateway',
      'data_center.dns1 as zone_dns1',
      'data_center.dns2 as zone_dns2',
    ])
    .orderBy('nics.device_id')
    .execute();
  return {
    uuid: vm.uuid,
    instanceName: vm.instance_name,
    hostName: vm.name,
    cpus: offering.cpu,
    memoryMiB: offering.ram_size,
    pool,
    rootDisk: { path: volume.path, format: 'qcow2', serial: serialOf(volume.uuid) },
    dataDisks: (await dataVolumesOf(executor, vm.id)).flatMap(({ path, uuid, device_id }) =>
      path === null ? [] : [dataDiskSpec({ path, uuid, device_id })],
    ),
    ...(await configDriveOf(executor, record, nics.some(hasToBeTold))),
    ...(await haOf(executor, vm.id, pool)),
    ...(iso ? { cdrom: { path: templateFileName(iso), bootFirst: iso.bootable } } : {}),
    nics: nics.map((nic) => ({
      mac: nic.mac_address,
      ...(nic.ip4_address === null ? {} : { ip: nic.ip4_address }),
      ...subnetOf(nic),
      network: networkOf(nic),
    })),
  };
}

/** What a guest has to be told of a network in which no host answers it. */
function subnetOf(
  nic: Row<'networks'> & {
    readonly nic_netmask: string | null;
    readonly nic_gateway: string | null;
    readonly zone_dns1: string;
    readonly zone_dns2: string | null;
  },
): Pick<VmSpec['nics'][number], 'subnet'> {
  const { nic_netmask: netmask, nic_gateway: gateway } = nic;
  if (nic.kind !== 'bridge' || netmask === null || gateway === null) return {};
  const own = [nic.dns1, nic.dns2].filter((server) => server !== null);
  const ofZone = [nic.zone_dns1, nic.zone_dns2].filter((server) => server !== null);
  return { subnet: { netmask, gateway, dns: own.length > 0 ? own : ofZone } };
}

/** Whether the host has to end it by itself when it loses everybody: only then it may be started elsewhere. */
async function haOf(executor: Executor, vmId: number, pool: PoolReference): Promise<Pick<VmSpec, 'ha'>> {
  // hosts keep leases where all of them see these
  if (pool.type === 'Filesystem') return {};
  const row = await executor
    .selectFrom('vm_instance')
    .select('ha_enabled')
    .where('id', '=', vmId)
    .executeTakeFirstOrThrow();
  if (!row.ha_enabled) return {};
  return { ha: { leaseSeconds: await readSetting(executor, 'ha.lease.seconds') } };
}

/** A data disk as hosts are told of it. */
export function dataDiskSpec(volume: {
  readonly uuid: string;
  readonly path: string;
  readonly device_id: number;
}): { readonly path: string; readonly serial: string; readonly position: number } {
  return { path: volume.path, serial: serialOf(volume.uuid), position: volume.device_id };
}

/** virtio serial numbers have at most 20 characters; CloudStack uses the volume's uuid without dashes, cut. */
function serialOf(uuid: string): string {
  return uuid.replaceAll('-', '').slice(0, 20);
}

/** The guest learns its address from the drive alone. */
function hasToBeTold(nic: Pick<Row<'networks'>, 'kind'> & { readonly ip4_address: string | null }): boolean {
  return nic.kind === 'bridge' && nic.ip4_address !== null;
}

/** What is handed to the guest, looked up now, for a step before may have given it a new password. */
async function configDriveOf(
  executor: Executor,
  { vm, offering }: VmRecord,
  always: boolean,
): Promise<Pick<VmSpec, 'configDrive'>> {
  const row = await executor
    .selectFrom('vm_instance')
    .innerJoin('data_center', 'data_center.id', 'vm_instance.data_center_id')
    .where('vm_instance.id', '=', vm.id)
    .select([
      'vm_instance.name',
      'vm_instance.user_data',
      'vm_instance.user_data_details',
      'vm_instance.ssh_keys',
      'vm_instance.new_password',
      'data_center.name as zone_name',
    ])
    .executeTakeFirstOrThrow();
  const {
    user_data: userData,
    user_data_details: variables,
    ssh_keys: sshKeys,
    new_password: password,
  } = row;
  const nothing = userData === null && variables === null && password === null && sshKeys.length === 0;
  if (nothing && !always) return {};
  return {
    configDrive: {
      hostName: row.name,
      zoneName: row.zone_name,
      serviceOffering: offering.name,
      sshKeys: [...sshKeys],
      ...(userData === null ? {} : { userData }),
      ...(variables === null ? {} : { variables: { ...variables } }),
      ...(password === null ? {} : { password }),
    },
  };
}
