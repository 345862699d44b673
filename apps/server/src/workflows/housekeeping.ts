import { randomUUID } from 'node:crypto';
import { describeError } from '@millrace/core';
import { capacitiesNow, usedShare } from '../commands/responses/capacity.ts';
import type { Settings } from '../domain/settings.ts';
import type { JobQueue } from '../jobs/queue.ts';
import { type ClusterUse, tellOfFullCluster, tellOfLowSpace } from '../store/alerts.ts';
import { deleteEndedJobs, hasPendingJob } from '../store/async-jobs.ts';
import { isPassing } from '../store/connection-loss.ts';
import type { Database } from '../store/database.ts';
import { deleteOldEvents } from '../store/events.ts';
import { readSetting, readSettings } from '../store/settings.ts';
import { callHost } from './agent-call.ts';
import { attachMissingPools, measureSharedPools } from './attach-pools.ts';
import { attachMissingStores, bringMissingToStores, checkOneStoredCopy } from './image-store-housekeeping.ts';
import { loadPlace } from './records.ts';
import { removeOwnerlessPartials, removeUnusedCopies } from './template-cleanup.ts';
import { connectedHostOf, removeUnneededCopies, type TemplateCopyDeps } from './template-copies.ts';

export interface HousekeepingDeps extends TemplateCopyDeps {
  readonly jobs: JobQueue;
}

/** How often what hosts could not do when it was asked of them is tried again. */
const cleanEveryMs = 30_000;
const lookEveryMs = 5000;
const expungeAgainMs = 600_000;
const hourMs = 3_600_000;
const partialsEveryMs = 600_000;

/**
 * Does regularly what nobody asks for: expunges instances whose time to be recovered is over or whose expunging failed,
 * removes files that were given up while their host was away, and forgets old answers and events. Every server does it; each deed is safe to repeat.
 * @returns a function that ends it
 */
export function startHousekeeping(deps: HousekeepingDeps): () => void {
  const last = { clean: Date.now(), expunge: 0, forget: 0, partials: Date.now() };
  let busy = false;
  const round = async () => {
    await attachMissingPools(deps);
    await bringMissingToStores(deps);
    if (Date.now() - last.clean >= cleanEveryMs) {
      last.clean = Date.now();
      await attachMissingStores(deps);
      await measureSharedPools(deps);
      await tellOfFullPools(deps);
      const full = await tellOfFullClusters(deps.database);
      if (full.length > 0) deps.log.warn({ full }, 'clusters have hardly anything left');
      await removeDiscardedVolumes(deps);
      await removeCopies(deps);
      await expungeAgain(deps);
      await checkOneStoredCopy(deps);
    }
    if (Date.now() - last.partials >= partialsEveryMs) {
      last.partials = Date.now();
      await removeOwnerlessPartials(deps);
    }
    const settings = await readSettings(deps.database);
    if (Date.now() - last.forget >= hourMs) {
      last.forget = Date.now();
      await forgetOld(deps.database, settings);
    }
    if (Date.now() - last.expunge < settings['expunge.interval'] * 1000) return;
    last.expunge = Date.now();
    await expungeDestroyed(deps, settings['expunge.delay'] * 1000);
  };
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    round()
      .catch((error: unknown) => {
        if (deps.signal.aborted || isPassing(error)) return;
        deps.log.error({ error: describeError(error) }, 'housekeeping failed');
      })
      .finally(() => {
        busy = false;
      });
  }, lookEveryMs);
  return () => clearInterval(timer);
}

const thresholds = {
  memory: 'cluster.memory.allocated.capacity.notificationthreshold',
  cpu: 'cluster.cpu.allocated.capacity.notificationthreshold',
} as const;

async function tellOfFullPools({ database, log }: TemplateCopyDeps): Promise<void> {
  const pools = await tellOfFullPoolsOf(database);
  if (pools.length > 0) log.warn({ pools }, 'storage pools are nearly full');
}

/** @returns the names of pools that were told of now */
export async function tellOfFullPoolsOf(database: Database): Promise<string[]> {
  const told: string[] = [];
  const pools = await database.selectFrom('storage_pool').select('id').where('removed', 'is', null).execute();
  for (const { id: poolId } of pools) {
    const threshold = await readSetting(database, 'cluster.storage.capacity.notificationthreshold', {
      poolId,
    });
    const now = await database.transaction().execute((trx) => tellOfLowSpace(trx, poolId, Number(threshold)));
    told.push(...now);
  }
  return told;
}

/** Every server does this: the row of a cluster says which of them is the first. */
export async function tellOfFullClusters(database: Database): Promise<string[]> {
  const kinds: Readonly<Record<string, ClusterUse['of']>> = { MEMORY: 'memory', CPU: 'cpu' };
  const clusters = await database.selectFrom('cluster').select(['id', 'uuid']).execute();
  const ids = new Map(clusters.map(({ id, uuid }) => [uuid, id]));
  const told: string[] = [];
  for (const capacity of await capacitiesNow(database)) {
    const { clusterUuid: uuid, clusterName: name = '' } = capacity.place;
    const of = kinds[capacity.name];
    // without hosts that are up there is nothing to have a share of: that they are down is an alert of its own
    if (of === undefined || uuid === undefined || capacity.total === 0) continue;
    const threshold = Number(await readSetting(database, thresholds[of], { clusterId: ids.get(uuid) }));
    const use = { uuid, name, of, share: usedShare(capacity) };
    const now = await database.transaction().execute((trx) => tellOfFullCluster(trx, use, threshold));
    if (now) told.push(`${name}: ${of}`);
  }
  return told;
}

async function removeCopies(deps: TemplateCopyDeps): Promise<void> {
  // every server does this, and none may take another's mark for its own
  const operation = `housekeeping-${randomUUID()}`;
  await removeUnneededCopies(deps, { operation });
  await removeUnusedCopies(deps, (poolId) => readSettings(deps.database, { poolId }), operation);
}

/** Removes the files of disks that were given up. @returns how many */
export async function removeDiscardedVolumes(deps: TemplateCopyDeps): Promise<number> {
  const { database, agents, log, signal } = deps;
  const volumes = await database
    .selectFrom('volumes')
    .selectAll()
    .where('state', '=', 'Destroy')
    .where('path', 'is not', null)
    .where('pool_id', 'is not', null)
    .execute();
  let count = 0;
  for (const volume of volumes) {
    const poolId = volume.pool_id!;
    const hostId = await connectedHostOf(deps, poolId);
    if (hostId === undefined) continue;
    try {
      const place = await loadPlace(database, hostId, poolId);
      await callHost(agents, {
        hostId,
        method: 'volume.remove',
        params: { pool: place.pool, path: volume.path! },
        operationId: `housekeeping-${Date.now()}/remove-volume-${volume.uuid}`,
        signal,
        reconnectMs: 5000,
      });
      await database.updateTable('volumes').set({ state: 'Expunged' }).where('id', '=', volume.id).execute();
      count++;
    } catch (error) {
      if (signal.aborted || isPassing(error)) throw error;
      log.warn({ volume: volume.uuid, error: describeError(error) }, 'a discarded disk stays for now');
    }
  }
  return count;
}

type ExpungeDeps = Pick<HousekeepingDeps, 'database' | 'jobs' | 'log'>;

/** Starts a job for every instance that has been Destroyed for longer than `delayMs`. @returns how many */
export function expungeDestroyed(deps: ExpungeDeps, delayMs: number): Promise<number> {
  return expungeThose(deps, 'Destroyed', delayMs);
}

/** Starts a job for every instance whose expunging failed: its host was sick, and may be well again. @returns how many */
export function expungeAgain(deps: ExpungeDeps, afterMs = expungeAgainMs): Promise<number> {
  return expungeThose(deps, 'Expunging', afterMs);
}

async function expungeThose(
  deps: ExpungeDeps,
  state: 'Destroyed' | 'Expunging',
  sinceMs: number,
): Promise<number> {
  const due = await deps.database
    .selectFrom('vm_instance')
    .select('id')
    .where('state', '=', state)
    .where('removed', 'is', null)
    .where('update_time', '<', new Date(Date.now() - sinceMs))
    .execute();
  let count = 0;
  for (const { id } of due) {
    const begun = await deps.database.transaction().execute(async (trx) => {
      const vm = await trx
        .selectFrom('vm_instance')
        .selectAll()
        .where('id', '=', id)
        .forUpdate()
        .executeTakeFirstOrThrow();
      if (vm.state !== state || (await hasPendingJob(trx, vm.uuid))) return false;
      await deps.jobs.enqueue(trx, {
        command: 'expungeVirtualMachine',
        parameters: { vmId: vm.id },
        userId: vm.user_id,
        accountId: vm.account_id,
        instanceType: 'VirtualMachine',
        instanceUuid: vm.uuid,
      });
      return true;
    });
    if (begun) count++;
  }
  if (count > 0) deps.log.info({ instances: count, state }, 'instances are expunged');
  return count;
}

/** Forgets the answers of jobs that ended long ago, and old events. @returns how many rows */
export async function forgetOld(
  database: Database,
  settings: Pick<Settings, 'job.retention.hours' | 'event.purge.delay'>,
): Promise<number> {
  const jobs = await deleteEndedJobs(database, settings['job.retention.hours'] * hourMs);
  const days = settings['event.purge.delay'];
  return jobs + (days === 0 ? 0 : await deleteOldEvents(database, days * 24 * hourMs));
}
