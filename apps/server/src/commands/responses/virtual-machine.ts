import { type EntityOf, formatDate, type nicFields, type virtualMachineFields } from '@millrace/api';
import type { Executor } from '../../store/database.ts';
import { everything } from '../../store/paging.ts';
import { toldUserData } from '../../store/user-data.ts';
import {
  latestJobsOf,
  listVirtualMachineRows,
  type NicRow,
  nicsOf,
  rootVolumesOf,
  type VirtualMachineRow,
  vmDetailsOf,
} from '../../store/virtual-machines.ts';
import { displayedDomainPath } from './domain-path.ts';
import { tagTeller } from './tag.ts';

export type VirtualMachineEntity = EntityOf<typeof virtualMachineFields>;

/** Fields of an instance that tell about the hosts: for root admins only. */
export const adminOnlyVmFields = ['hostid', 'hostname', 'instancename', 'pooltype'] as const;

/**
 * An instance as the API shows it to a root admin, also when it is expunged.
 * @throws Error when there is no such row
 */
export async function loadVirtualMachine(executor: Executor, vmId: number): Promise<VirtualMachineEntity> {
  const filter = { scope: { kind: 'everything' }, vmIds: [vmId], removed: true } as const;
  const { rows } = await listVirtualMachineRows(executor, filter, everything);
  const [entity] = await virtualMachineEntities(executor, rows, true);
  if (!entity) throw new Error(`there is no virtual machine ${vmId}`);
  return entity;
}

/** Shapes rows, with what belongs to them, for a root admin or for anybody else. */
export async function virtualMachineEntities(
  executor: Executor,
  rows: readonly VirtualMachineRow[],
  forAdmin: boolean,
  options: { readonly withUserData?: boolean } = {},
): Promise<VirtualMachineEntity[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const nics = Map.groupBy(await nicsOf(executor, ids), (nic) => nic.instance_id);
  const volumes = await rootVolumesOf(executor, ids);
  const roots = new Map(volumes.map((volume) => [volume.instance_id, volume]));
  const details = Map.groupBy(await vmDetailsOf(executor, ids), (detail) => detail.vm_id);
  const userData = options.withUserData ? await toldUserData(executor, 'vm_instance', ids) : undefined;
  const tags = await tagTeller(
    executor,
    rows.map((row) => row.uuid),
  );
  const jobs = await latestJobsOf(
    executor,
    rows.map((row) => row.uuid),
  );
  return rows.map((row) => {
    const entity = {
      ...identity(row),
      ...hardware(row),
      ...guestAccess(row),
      tags: tags(row.uuid),
      userdata: userData?.get(row.id),
      ...(details.has(row.id)
        ? { details: Object.fromEntries(details.get(row.id)!.map(({ name, value }) => [name, value])) }
        : {}),
      nic: (nics.get(row.id) ?? []).map((nic) => nicEntity(nic, row.uuid)),
      ipaddress: nics.get(row.id)?.[0]?.ip4_address ?? undefined,
      ...(roots.has(row.id)
        ? {
            rootdeviceid: roots.get(row.id)!.device_id,
            rootdevicetype: 'ROOT',
            pooltype: roots.get(row.id)!.pool_type ?? undefined,
          }
        : {}),
      ...jobs.get(row.uuid),
    };
    return forAdmin ? entity : withoutAdminFields(entity);
  });
}

/** What a tenant sees of an instance. */
export function withoutAdminFields<T extends object>(entity: T): T {
  const hidden: readonly string[] = adminOnlyVmFields;
  return Object.fromEntries(Object.entries(entity).filter(([name]) => !hidden.includes(name))) as T;
}

function identity(row: VirtualMachineRow): VirtualMachineEntity {
  return {
    id: row.uuid,
    name: row.name,
    displayname: row.display_name,
    account: row.account_name,
    userid: row.user_uuid,
    username: row.username,
    domainid: row.domain_uuid,
    domain: row.domain_name,
    domainpath: displayedDomainPath(row.domain_path),
    created: formatDate(row.created),
    lastupdated: formatDate(row.update_time),
    state: row.state,
    errortext: row.error_text ?? undefined,
    haenable: row.ha_enabled,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    hostid: row.host_uuid ?? undefined,
    hostname: row.host_name ?? undefined,
    instancename: row.instance_name,
    templateid: row.template_uuid,
    templatename: row.template_name,
    templatedisplaytext: row.template_display_text,
    templateformat: row.template_format,
    templatetype: row.template_type,
    passwordenabled: row.enable_password,
    isoid: row.iso_uuid ?? undefined,
    isoname: row.iso_name ?? undefined,
    isodisplaytext: row.iso_display_text ?? undefined,
  };
}

function guestAccess(row: VirtualMachineRow): VirtualMachineEntity {
  const variables = row.user_data_details && Object.entries(row.user_data_details);
  return {
    ...(row.ssh_keys.length > 0 ? { keypairs: row.ssh_keys.map(({ name }) => name).join(',') } : {}),
    userdataid: row.user_data_uuid ?? undefined,
    userdataname: row.user_data_name ?? undefined,
    ...(row.user_data_uuid === null ? {} : { userdatapolicy: row.user_data_link_policy ?? undefined }),
    // a map in a string, as CloudStack writes it
    ...(variables
      ? { userdatadetails: `{${variables.map(([name, value]) => `${name}=${value}`).join(', ')}}` }
      : {}),
  };
}

function hardware(row: VirtualMachineRow): VirtualMachineEntity {
  return {
    serviceofferingid: row.offering_uuid,
    serviceofferingname: row.offering_name,
    cpunumber: row.cpu,
    cpuspeed: row.speed,
    memory: row.ram_size,
    arch: row.arch,
    guestosid: row.os_uuid,
    ostypeid: row.os_uuid,
    osdisplayname: row.os_name,
    hypervisor: 'KVM',
    securitygroup: [],
    affinitygroup: [],
    displayvm: true,
    isdynamicallyscalable: row.dynamically_scalable,
    vmtype: 'User',
    hasannotations: false,
  };
}

function nicEntity(nic: NicRow, vmUuid: string): EntityOf<typeof nicFields> {
  return {
    id: nic.uuid,
    networkid: nic.network_uuid,
    networkname: nic.network_name,
    netmask: nic.netmask ?? undefined,
    gateway: nic.gateway ?? undefined,
    ipaddress: nic.ip4_address ?? undefined,
    macaddress: nic.mac_address,
    isdefault: nic.default_nic,
    traffictype: nic.traffic_type,
    type: nic.guest_type,
    deviceid: String(nic.device_id),
    virtualmachineid: vmUuid,
    secondaryip: [],
    extradhcpoption: [],
  };
}
