import type { Demand, HostCandidate, OverCommit, PoolCandidate } from '../placement/choose-host.ts';
import { overCommitByCluster } from '../store/cluster-details.ts';
import type { Executor } from '../store/database.ts';
import type { Row } from '../store/schema.ts';
import { readSettings } from '../store/settings.ts';
import type { VmRecord } from './records.ts';

/** States in which an instance uses, or may use, its host. */
const usingStates = ['Starting', 'Running', 'Stopping', 'Migrating', 'Unknown'];

/** The hosts of a zone with what they have, what they use, and the pools they reach. */
export async function loadCandidates(
  executor: Executor,
  options: { readonly zoneId: number; readonly templateId: number; readonly exceptVmId: number },
): Promise<HostCandidate[]> {
  const hosts = await executor
    .selectFrom('host')
    .innerJoin('cluster', 'cluster.id', 'host.cluster_id')
    .innerJoin('host_pod_ref', 'host_pod_ref.id', 'host.pod_id')
    .innerJoin('data_center', 'data_center.id', 'host.data_center_id')
    .where('host.data_center_id', '=', options.zoneId)
    .where('host.removed', 'is', null)
    .where('host.type', '=', 'Routing')
    .selectAll('host')
    .select([
      'cluster.allocation_state as cluster_state',
      'host_pod_ref.allocation_state as pod_state',
      'data_center.allocation_state as zone_state',
      'data_center.local_storage_enabled',
    ])
    .orderBy('host.id')
    .execute();
  const overCommits = await overCommitByCluster(executor);
  const used = await usedByHost(executor, options.exceptVmId);
  const pools = await poolsByHost(executor, options.templateId);
  return hosts.map((host) => ({
    hostId: host.id,
    name: host.name,
    status: host.status,
    resourceState: host.resource_state,
    allocationStates: [host.cluster_state, host.pod_state, host.zone_state],
    arch: host.arch,
    tags: tagsOf(host.tags),
    overCommit: overCommits.get(host.cluster_id) ?? {},
    cpus: host.cpus,
    ramBytes: host.ram,
    usedCpus: used.get(host.id)?.cpus ?? 0,
    usedRamBytes: (used.get(host.id)?.ramMiB ?? 0) * 1024 ** 2,
    pools: (pools.get(host.id) ?? []).filter(({ scope }) => host.local_storage_enabled || scope !== 'HOST'),
  }));
}

async function usedByHost(executor: Executor, exceptVmId: number) {
  const rows = await executor
    .selectFrom('vm_instance')
    .innerJoin('service_offering', 'service_offering.id', 'vm_instance.service_offering_id')
    .where('vm_instance.host_id', 'is not', null)
    .where('vm_instance.removed', 'is', null)
    .where('vm_instance.state', 'in', usingStates)
    .where('vm_instance.id', '!=', exceptVmId)
    .groupBy('vm_instance.host_id')
    .select((eb) => [
      'vm_instance.host_id',
      // sums of int are bigint, which arrives as a number
      eb.fn.sum<number>('service_offering.cpu').as('cpus'),
      eb.fn.sum<number>('service_offering.ram_size').as('ramMiB'),
    ])
    .execute();
  return new Map(rows.map((row) => [row.host_id!, { cpus: Number(row.cpus), ramMiB: Number(row.ramMiB) }]));
}

async function poolsByHost(executor: Executor, templateId: number): Promise<Map<number, PoolCandidate[]>> {
  const rows = await executor
    .selectFrom('storage_pool_host_ref')
    .innerJoin('storage_pool', 'storage_pool.id', 'storage_pool_host_ref.pool_id')
    .leftJoin('template_spool_ref', (join) =>
      join
        .onRef('template_spool_ref.pool_id', '=', 'storage_pool.id')
        .on('template_spool_ref.template_id', '=', templateId)
        .on('template_spool_ref.marked_for_gc', '=', false),
    )
    .where('storage_pool.removed', 'is', null)
    .selectAll('storage_pool')
    .select([
      'storage_pool_host_ref.host_id',
      'template_spool_ref.state as copy_state',
      'template_spool_ref.lease_owner',
    ])
    .orderBy('storage_pool.id')
    .execute();
  const pools = new Map<number, PoolCandidate[]>();
  for (const row of rows) {
    const list = pools.get(row.host_id) ?? [];
    list.push({
      poolId: row.id,
      name: row.name,
      status: row.status,
      scope: row.scope,
      tags: tagsOf(row.tags),
      availableBytes: Math.max(0, row.capacity_bytes - row.used_bytes),
      template: row.copy_state === 'Ready' ? 'ready' : row.lease_owner !== null ? 'transferring' : 'absent',
    });
    pools.set(row.host_id, list);
  }
  return pools;
}

/** What an instance asks of a host. */
export function demandOf(
  record: Pick<VmRecord, 'offering'>,
  template: Row<'vm_template'>,
  only: { readonly hostId?: number | undefined; readonly poolId?: number | undefined } = {},
): Demand {
  return {
    cpus: record.offering.cpu,
    ramBytes: record.offering.ram_size * 1024 ** 2,
    arch: template.arch,
    // where the disk is already, no image has to go
    transferBytes: only.poolId === undefined ? (template.physical_size ?? undefined) : undefined,
    virtualSizeBytes: only.poolId === undefined ? (template.size ?? undefined) : undefined,
    storageTags: tagsOf(record.offering.tags),
    hostTags: tagsOf(record.offering.host_tag),
    localStorage: record.offering.storage_type === 'local',
    onlyHostId: only.hostId,
    onlyPoolId: only.poolId,
  };
}

export async function readOverCommit(executor: Executor): Promise<OverCommit> {
  const settings = await readSettings(executor);
  return { cpu: settings['cpu.overprovisioning.factor'], memory: settings['mem.overprovisioning.factor'] };
}

function tagsOf(text: string | null): string[] {
  return (text ?? '')
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
}
