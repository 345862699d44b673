import type { Executor } from './database.ts';

/** What placement calls the settings that it asks clusters for. */
const overCommitSettings = {
  'cpu.overprovisioning.factor': 'cpu',
  'mem.overprovisioning.factor': 'memory',
} as const;

function isOverCommit(name: string): name is keyof typeof overCommitSettings {
  return Object.hasOwn(overCommitSettings, name);
}

/** What clusters have of their own. */
export async function overCommitByCluster(
  executor: Executor,
): Promise<Map<number, { readonly cpu?: number; readonly memory?: number }>> {
  const rows = await executor
    .selectFrom('cluster_details')
    .selectAll()
    .where('name', 'in', Object.keys(overCommitSettings))
    .execute();
  const found = new Map<number, { cpu?: number; memory?: number }>();
  for (const { cluster_id, name, value } of rows) {
    if (!isOverCommit(name)) continue;
    const own = found.get(cluster_id) ?? {};
    own[overCommitSettings[name]] = Number(value);
    found.set(cluster_id, own);
  }
  return found;
}
