import { type EntityOf, formatDate, type hostFields } from '@millrace/api';
import type { Settings } from '../../domain/settings.ts';
import type { HostRow } from '../../store/host-list.ts';

export interface HostUse {
  readonly cpuMhz: number;
  readonly memoryBytes: number;
  readonly hasLocalPool: boolean;
  /** What its cluster has of its own. */
  readonly overCommit?: { readonly cpu?: number; readonly memory?: number } | undefined;
}

export type HostEntity = EntityOf<typeof hostFields>;

export function hostEntity(row: HostRow, use: HostUse, settings: Settings): HostEntity {
  return {
    id: row.uuid,
    name: row.name,
    state: row.status,
    resourcestate: row.resource_state,
    type: row.type,
    hypervisor: row.hypervisor_type,
    hypervisorversion: row.hypervisor_version ?? undefined,
    virttype: row.virt_type ?? undefined,
    arch: row.arch,
    version: row.version ?? undefined,
    ipaddress: row.private_ip_address ?? undefined,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    podid: row.pod_uuid,
    podname: row.pod_name,
    clusterid: row.cluster_uuid,
    clustername: row.cluster_name,
    clustertype: 'CloudManaged',
    created: formatDate(row.created),
    lastpinged: row.last_ping ? formatDate(row.last_ping) : undefined,
    disconnected: row.disconnected ? formatDate(row.disconnected) : undefined,
    islocalstorageactive: use.hasLocalPool,
    capabilities: 'hvm',
    hosttags: row.tags ?? undefined,
    hahost: false,
    hasannotations: false,
    encryptionsupported: false,
    ueficapability: false,
    ...capacity(row, use, settings),
  };
}

function capacity(row: HostRow, use: HostUse, settings: Settings): HostEntity {
  const mhz = row.cpus * row.speed;
  const mhzTotal = mhz * (use.overCommit?.cpu ?? settings['cpu.overprovisioning.factor']);
  const memoryTotal = row.ram * (use.overCommit?.memory ?? settings['mem.overprovisioning.factor']);
  return {
    cpunumber: row.cpus,
    cpuspeed: row.speed,
    cpuloadaverage: row.load_average ?? undefined,
    cpuallocated: percent(use.cpuMhz, mhz),
    cpuallocatedpercentage: percent(use.cpuMhz, mhzTotal),
    cpuallocatedvalue: use.cpuMhz,
    cpuallocatedwithoverprovisioning: percent(use.cpuMhz, mhzTotal),
    cpuwithoverprovisioning: mhzTotal.toFixed(1),
    memorytotal: row.ram,
    memorywithoverprovisioning: memoryTotal.toFixed(1),
    memoryallocated: use.memoryBytes,
    memoryallocatedbytes: use.memoryBytes,
    memoryallocatedpercentage: percent(use.memoryBytes, memoryTotal),
    memoryused: row.ram_free === null ? undefined : Math.max(0, row.ram - row.ram_free),
  };
}

function percent(part: number, whole: number): string {
  return whole > 0 ? `${((100 * part) / whole).toFixed(2)}%` : '0%';
}
