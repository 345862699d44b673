import { randomUUID } from 'node:crypto';
import { describeError } from '@millrace/core';
import { sql } from 'kysely';
import type { Settings } from '../domain/settings.ts';
import { recordEvent } from '../store/events.ts';
import { updateSpaceOf } from '../store/shared-pools.ts';
import { callHost } from './agent-call.ts';
import { loadPlace } from './records.ts';
import {
  connectedHostOf,
  copiesQuery,
  removeEach,
  type TemplateCopyDeps,
  tryToRemove,
} from './template-copies.ts';

type CleanupSettings = Pick<
  Settings,
  'storage.template.cleanup.enabled' | 'storage.template.cleanup.age' | 'storage.template.cleanup.pressure'
>;

/** A use is written down no more often than this. */
const useNotedEvery = sql`interval '1 hour'`;

/**
 * Removes copies that could be used, but are not: by age, and where a pool has little space left, longest unused first.
 * Which copies are not used is decided again, under the row's lock, when each is marked.
 */
export async function removeUnusedCopies(
  deps: TemplateCopyDeps,
  settingsOf: (poolId: number) => Promise<CleanupSettings>,
  operation: string,
): Promise<void> {
  await noteUses(deps);
  const poolIds = new Set((await unusedCopies(deps).execute()).map(({ poolId }) => poolId));
  for (const poolId of poolIds)
    await removeUnusedCopiesOf(deps, { poolId, settings: await settingsOf(poolId), operation });
}

async function removeUnusedCopiesOf(
  deps: TemplateCopyDeps,
  pool: { readonly poolId: number; readonly settings: CleanupSettings; readonly operation: string },
): Promise<void> {
  const { poolId, settings, operation } = pool;
  if (!settings['storage.template.cleanup.enabled']) return;
  const days = settings['storage.template.cleanup.age'];
  if (days > 0) {
    const old = await unusedCopies(deps)
      .where('template_spool_ref.pool_id', '=', poolId)
      .where('last_used', '<', sql<Date>`now() - make_interval(days => ${days})`)
      .execute();
    const reason = `nothing has used it for ${days} day(s)`;
    await removeEach(deps, old, { operation, reason });
  }
  const percent = settings['storage.template.cleanup.pressure'];
  if (percent > 0) await relievePool(deps, { poolId, percent, operation });
}

/** As long as a disk or a drive has a copy it is in use: its age counts from when the last one was gone. */
async function noteUses({ database }: TemplateCopyDeps): Promise<void> {
  await sql`
    update template_spool_ref as copy set last_used = now()
    where state = 'Ready' and last_used < now() - ${useNotedEvery} and (
      exists (select from volumes where volumes.pool_id = copy.pool_id
        and volumes.template_id = copy.template_id and volumes.state != 'Expunged')
      or exists (select from vm_instance join volumes on volumes.instance_id = vm_instance.id
        where vm_instance.iso_id = copy.template_id and vm_instance.removed is null
          and volumes.pool_id = copy.pool_id and volumes.removed is null))
  `.execute(database);
}

/** Whole copies without a disk on them, longest unused first. */
function unusedCopies({ database }: TemplateCopyDeps) {
  return copiesQuery(database)
    .where('template_spool_ref.state', '=', 'Ready')
    .where('template_spool_ref.marked_for_gc', '=', false)
    .where('data_store.role', '=', 'Primary')
    .where('data_store.removed', 'is', null)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('volumes')
            .whereRef('volumes.pool_id', '=', 'template_spool_ref.pool_id')
            .whereRef('volumes.template_id', '=', 'template_spool_ref.template_id')
            .where('volumes.state', '!=', 'Expunged')
            .select('volumes.id'),
        ),
      ),
    )
    .orderBy('last_used')
    .orderBy('template_spool_ref.id');
}

/** The space is measured before every removal: what was reported last may be of an hour with more in the pool. */
async function relievePool(
  deps: TemplateCopyDeps,
  pool: { readonly poolId: number; readonly percent: number; readonly operation: string },
): Promise<void> {
  const { poolId, percent, operation } = pool;
  const full = sql<boolean>`data_store.used_bytes * 100.0 > data_store.capacity_bytes * ${percent}::numeric`;
  const copies = await unusedCopies(deps)
    .where('template_spool_ref.pool_id', '=', poolId)
    .where(full)
    .execute();
  for (const copy of copies) {
    const used = await measure(deps, poolId);
    if (used === undefined || used <= percent) return;
    const reason = `${Math.floor(used)} % of the pool are in use, and it was the longest unused`;
    if (!(await tryToRemove(deps, copy, { operation, reason }))) return;
  }
}

/** @returns percent of the pool that are in use; undefined when no host tells */
async function measure(deps: TemplateCopyDeps, poolId: number): Promise<number | undefined> {
  const { database, agents, signal, log } = deps;
  const hostId = await connectedHostOf(deps, poolId);
  if (hostId === undefined) return undefined;
  try {
    const place = await loadPlace(database, hostId, poolId);
    const space = await callHost(agents, {
      hostId,
      method: 'pool.stats',
      params: { pool: place.pool },
      operationId: `pool-space-${randomUUID()}`,
      signal,
      reconnectMs: 0,
    });
    await updateSpaceOf(database, poolId, space);
    return (100 * (space.capacityBytes - space.availableBytes)) / Math.max(1, space.capacityBytes);
  } catch (error) {
    if (signal.aborted) throw error;
    log.warn({ pool: poolId, error: describeError(error) }, 'the pool cannot be measured');
    return undefined;
  }
}

/** Has hosts remove what interrupted transfers left on their pools and nobody will go on with. */
export async function removeOwnerlessPartials(deps: TemplateCopyDeps): Promise<void> {
  const { database, agents, log, signal } = deps;
  const pools = await database
    .selectFrom('data_store')
    .select(['id', 'name', 'uuid'])
    .where('removed', 'is', null)
    .where('status', '=', 'Up')
    .execute();
  for (const pool of pools) {
    const hostId = await connectedHostOf(deps, pool.id);
    if (hostId === undefined) continue;
    try {
      const place = await loadPlace(database, hostId, pool.id);
      const { removed } = await callHost(agents, {
        hostId,
        method: 'pool.clean',
        params: { pool: place.pool, owned: await ownedFiles(deps, pool.id) },
        operationId: `pool-clean-${randomUUID()}`,
        signal,
        reconnectMs: 0,
      });
      if (removed.length === 0) continue;
      await recordEvent(database, {
        type: 'STORAGE.PARTIAL.REMOVE',
        description: `What ${removed.length} interrupted transfer(s) had left on storage pool ${pool.name} was removed: no transfer had it`,
        resourceType: 'StoragePool',
        resourceUuid: pool.uuid,
      });
      log.info({ pool: pool.name, removed }, 'what interrupted transfers left was removed');
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn({ pool: pool.name, error: describeError(error) }, 'the pool cannot be cleaned');
    }
  }
}

/** Files of transfers that are under way, or failed and may be gone on with. */
async function ownedFiles({ database }: TemplateCopyDeps, poolId: number) {
  const rows = await database
    .selectFrom('template_spool_ref')
    .innerJoin('vm_template', 'vm_template.id', 'template_spool_ref.template_id')
    .where('template_spool_ref.pool_id', '=', poolId)
    .where('template_spool_ref.state', '!=', 'Ready')
    .where('template_spool_ref.marked_for_gc', '=', false)
    .select(['vm_template.uuid', 'vm_template.image_uuid', 'template_spool_ref.lease_owner'])
    .execute();
  return rows.map(({ uuid, image_uuid, lease_owner }) => ({
    name: image_uuid ?? uuid,
    underWay: lease_owner !== null,
  }));
}
