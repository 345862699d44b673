import type { Executor } from '../store/database.ts';

/** States in which a lost host may have run an instance. */
const mayRunIn = ['Running', 'Stopping', 'Unknown', 'Migrating'];

/** Whether an instance of a lost host can be started elsewhere, and why not. */
export type Recovery = 'elsewhere' | 'local-disk' | 'no-promise';

export interface LostInstance {
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
  readonly accountId: number;
  readonly userId: number;
  readonly poolId: number;
  readonly leaseSeconds: number | null;
  readonly recovery: Recovery;
}

/**
 * The highly available instances that a host had when it was lost. One whose host promised nothing when it was started
 * may be started elsewhere by an operator's word alone (`trusted`).
 */
export async function lostInstances(
  executor: Executor,
  hostId: number,
  options: { readonly trusted: boolean },
): Promise<LostInstance[]> {
  const rows = await executor
    .selectFrom('vm_instance')
    .innerJoin('volumes', 'volumes.instance_id', 'vm_instance.id')
    .innerJoin('storage_pool', 'storage_pool.id', 'volumes.pool_id')
    .where('vm_instance.host_id', '=', hostId)
    .where('vm_instance.ha_enabled', '=', true)
    .where('vm_instance.removed', 'is', null)
    .where('vm_instance.state', 'in', mayRunIn)
    .where('volumes.volume_type', '=', 'ROOT')
    .where('volumes.removed', 'is', null)
    .select([
      'vm_instance.id',
      'vm_instance.uuid',
      'vm_instance.name',
      'vm_instance.account_id',
      'vm_instance.user_id',
      'vm_instance.ha_lease_seconds',
      'storage_pool.id as pool_id',
      'storage_pool.scope',
    ])
    .orderBy('vm_instance.id')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    uuid: row.uuid,
    name: row.name,
    accountId: row.account_id,
    userId: row.user_id,
    poolId: row.pool_id,
    leaseSeconds: row.ha_lease_seconds,
    recovery: recoveryOf(row.scope, row.ha_lease_seconds !== null || options.trusted),
  }));
}

function recoveryOf(scope: string, promised: boolean): Recovery {
  if (scope === 'HOST') return 'local-disk';
  return promised ? 'elsewhere' : 'no-promise';
}

/** Said to the owner of an instance that stays where its host is. */
export const whyItStays: Readonly<Record<Exclude<Recovery, 'elsewhere'>, string>> = {
  'local-disk': 'its disk is on storage that only its host reaches',
  'no-promise':
    'it was started before it was highly available, so nobody can tell that it has ended; start it anew to change that',
};
