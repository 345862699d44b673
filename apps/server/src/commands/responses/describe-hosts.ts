import { overCommitByCluster } from '../../store/cluster-details.ts';
import type { Executor } from '../../store/database.ts';
import { allocationsOf, type HostRow, hostsWithLocalPool } from '../../store/host-list.ts';
import { readSettings } from '../../store/settings.ts';
import { type HostEntity, hostEntity } from './host.ts';

/** Hosts as the API tells them, with what is in use on each. */
export async function describeHosts(executor: Executor, rows: readonly HostRow[]): Promise<HostEntity[]> {
  const ids = rows.map((row) => row.id);
  const settings = await readSettings(executor);
  const allocations = await allocationsOf(executor, ids);
  const withLocalPool = await hostsWithLocalPool(executor, ids);
  const overCommits = await overCommitByCluster(executor);
  return rows.map((row) => {
    const allocation = allocations.get(row.id);
    const use = {
      cpuMhz: allocation?.cpu_mhz ?? 0,
      memoryBytes: allocation?.memory_bytes ?? 0,
      hasLocalPool: withLocalPool.has(row.id),
      overCommit: overCommits.get(row.cluster_id),
    };
    return hostEntity(row, use, settings);
  });
}
