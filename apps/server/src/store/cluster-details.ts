import type { Executor } from './database.ts';

/** Settings that a cluster can have a value of its own of, and what placement calls them. */
export const clusterSettings = {
  'cpu.overprovisioning.factor': 'cpu',
  'mem.overprovisioning.factor': 'memory',
} as const;
export type ClusterSetting = keyof typeof clusterSettings;

export function isClusterSetting(name: string): name is ClusterSetting {
  return Object.hasOwn(clusterSettings, name);
}

/** What clusters have of their own. */
export async function overCommitByCluster(
  executor: Executor,
): Promise<Map<number, { readonly cpu?: number; readonly memory?: number }>> {
  const rows = await executor
    .selectFrom('cluster_details')
    .selectAll()
    .where('name', 'in', Object.keys(clusterSettings))
    .execute();
  const found = new Map<number, { cpu?: number; memory?: number }>();
  for (const { cluster_id, name, value } of rows) {
    if (!isClusterSetting(name)) continue;
    const own = found.get(cluster_id) ?? {};
    own[clusterSettings[name]] = Number(value);
    found.set(cluster_id, own);
  }
  return found;
}

/** @param value undefined: the cluster follows the cloud again */
export async function writeClusterSetting(
  executor: Executor,
  clusterId: number,
  name: ClusterSetting,
  value: string | undefined,
): Promise<void> {
  await executor
    .deleteFrom('cluster_details')
    .where('cluster_id', '=', clusterId)
    .where('name', '=', name)
    .execute();
  if (value !== undefined)
    await executor.insertInto('cluster_details').values({ cluster_id: clusterId, name, value }).execute();
}
