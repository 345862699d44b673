import { ApiError } from '@millrace/api';
import { z } from 'zod';
import { describeHosts } from '../commands/responses/describe-hosts.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import type { JobQueue } from '../jobs/queue.ts';
import { type Step, StepFailed } from '../jobs/steps.ts';
import { hasPendingJob } from '../store/async-jobs.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { listHostRows } from '../store/host-list.ts';
import type { Row } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { markInstancesUnknown, transitionVm } from '../store/vm-transitions.ts';
import { callHost } from './agent-call.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { type LostInstance, lostInstances } from './lost-instances.ts';
import { loadPlace } from './records.ts';

type Context = JobContext<'recoverLostHost'>;

const recoveryState = z.object({
  /** On these pools the host ends nothing any more: it has. */
  freePools: z.array(z.number()),
  /** Why the others are not. */
  problems: z.array(z.string()),
  /** When the host was last heard of; null: never. */
  lastPing: z.string().nullable(),
  /** Names of the instances that are started elsewhere. */
  restarted: z.array(z.string()),
});
type RecoveryState = z.infer<typeof recoveryState>;

interface Recovering {
  readonly context: Context;
  readonly deps: WorkflowDeps & { readonly queue: () => JobQueue };
  readonly host: Row<'host'>;
}

/**
 * Starts the highly available instances of a lost host elsewhere, once it is certain that the host runs them no more: see
 * docs/decisions/0013. A job that cannot be certain fails and says why; another one follows while the host stays away.
 */
export function recoverLostHost(
  deps: WorkflowDeps & { readonly queue: () => JobQueue },
): JobDefinition<'recoverLostHost'> {
  return {
    async run(context) {
      const host = await context.read((database) => hostOf(database, context.parameters.hostId));
      const recovering: Recovering = { context, deps, host };
      let state: Partial<RecoveryState>;
      try {
        state = await deps.runSteps<RecoveryState>({
          context,
          prefix: 'recover/',
          steps: [makeCertainStep(recovering), restartStep(recovering)],
          initial: {},
          decode: (value) => recoveryState.partial().parse(value) as Partial<RecoveryState>,
        });
      } catch (error) {
        if (error instanceof StepFailed && error.cause instanceof ApiError) throw error.cause;
        throw error;
      }
      if (state.restarted?.length === 0) {
        const text = `nothing was started elsewhere: ${state.problems?.join('; ') || `host ${host.name} is back`}`;
        await alertOnce(context, host, text);
        throw new ApiError('RESOURCE_UNAVAILABLE_ERROR', text);
      }
      return context.read(async (database) => {
        const { rows } = await listHostRows(database, { uuid: host.uuid }, { limit: 1, offset: 0 });
        return { host: (await describeHosts(database, rows))[0] };
      });
    },
  };
}

/** Sees by the pools that the host has ended what it ran there, or had the time to. */
function makeCertainStep({ context, deps, host }: Recovering): Step<RecoveryState> {
  return {
    name: 'make-certain',
    do: async () => {
      const trusted = host.resource_state === 'Degraded';
      const now = await context.read((database) => hostOf(database, host.id));
      const instances = (
        await context.read((database) => lostInstances(database, host.id, { trusted }))
      ).filter(({ recovery }) => recovery === 'elsewhere');
      const lastPing = now.last_ping?.toISOString() ?? null;
      if (isThere(now)) return { freePools: [], problems: [], lastPing };
      context.progress.report({ phase: 'making-certain', percent: 10, hostname: host.name });
      const poolIds = [...new Set(instances.map(({ poolId }) => poolId))];
      const usual = await context.read((database) => readSetting(database, 'ha.lease.seconds'));
      const verdicts = await Promise.all(
        poolIds.map(async (poolId) => {
          const leases = instances
            .filter((vm) => vm.poolId === poolId)
            .map(({ leaseSeconds }) => leaseSeconds ?? usual);
          const problem = await watchPool({ context, deps, host }, poolId, {
            seconds: withMargin(Math.max(...leases)),
            evict: trusted,
          });
          return { poolId, problem };
        }),
      );
      return {
        freePools: verdicts.filter(({ problem }) => problem === undefined).map(({ poolId }) => poolId),
        problems: verdicts.flatMap(({ problem }) => problem ?? []),
        lastPing,
      };
    },
  };
}

/** The guard looks once a second, and a loaded host is late. */
function withMargin(leaseSeconds: number): number {
  return leaseSeconds + Math.max(5, Math.ceil(leaseSeconds / 2));
}

/** @returns why it is not certain; undefined: it is */
async function watchPool(
  { context, deps, host }: Recovering,
  poolId: number,
  watch: { readonly seconds: number; readonly evict: boolean },
): Promise<string | undefined> {
  const reader = await context.read((database) => readerOf(database, deps, { poolId, exceptId: host.id }));
  if (reader === undefined) return 'no other host that is connected reaches the storage pool';
  const place = await context.read((database) => loadPlace(database, reader, poolId));
  try {
    const { outcome } = await callHost(deps.agents, {
      hostId: reader,
      method: 'pool.lease.watch',
      params: { pool: place.pool, hostUuid: host.uuid, ...watch },
      operationId: `${context.job.uuid}/watch-${poolId}`,
      signal: context.signal,
      reconnectMs: 5000,
      extraMs: watch.seconds * 2000 + 10_000,
    });
    if (outcome !== 'renewed') return undefined;
    return watch.evict
      ? `host ${host.name} still renews its lease on the storage pool ${place.poolName} although it was told to end its instances there`
      : `host ${host.name} cannot be reached, but renews its lease on the storage pool ${place.poolName}: its instances may run; declareHostAsDegraded ends them there and starts them elsewhere`;
  } catch (error) {
    context.signal.throwIfAborted();
    return `the storage pool ${place.poolName} cannot be watched by host ${place.hostName}: ${String(error)}`;
  }
}

async function readerOf(
  executor: Executor,
  deps: WorkflowDeps,
  { poolId, exceptId }: { readonly poolId: number; readonly exceptId: number },
): Promise<number | undefined> {
  const rows = await executor
    .selectFrom('storage_pool_host_ref')
    .innerJoin('host', 'host.id', 'storage_pool_host_ref.host_id')
    .where('pool_id', '=', poolId)
    .where('host_id', '!=', exceptId)
    .where('host.status', '=', 'Up')
    .where('host.removed', 'is', null)
    .select('host_id')
    .orderBy('host_id')
    .execute();
  return rows.map((row) => row.host_id).find((hostId) => deps.agents.isConnected(hostId));
}

/** Gives the instances up on the lost host and has each started elsewhere: both or neither. */
function restartStep({ context, deps, host }: Recovering): Step<RecoveryState> {
  return {
    name: 'restart',
    do: async ({ freePools, lastPing }) => {
      context.progress.report({ phase: 'starting', percent: 70, hostname: host.name });
      const restarted = await context.write(async (trx) => {
        const now = await trx
          .selectFrom('host')
          .selectAll()
          .where('id', '=', host.id)
          .forUpdate()
          .executeTakeFirstOrThrow();
        // whoever was heard of meanwhile may have been given something to run
        if (isThere(now) || (now.last_ping?.toISOString() ?? null) !== lastPing) return [];
        const trusted = now.resource_state === 'Degraded';
        const names: string[] = [];
        for (const vm of await lostInstances(trx, host.id, { trusted }))
          if (vm.recovery === 'elsewhere' && freePools.includes(vm.poolId))
            if (await restart(trx, deps.queue(), context, vm)) names.push(vm.name);
        if (names.length === 0) return [];
        await markInstancesUnknown(trx, host.id);
        await trx.updateTable('host').set({ status: 'Down' }).where('id', '=', host.id).execute();
        await recordEvent(trx, {
          ...alertOf(context, host),
          description: `Host ${host.name} is lost; started elsewhere: ${names.join(', ')}`,
        });
        return names;
      });
      return { restarted };
    },
  };
}

async function restart(trx: Executor, queue: JobQueue, context: Context, vm: LostInstance): Promise<boolean> {
  await trx.selectFrom('vm_instance').select('id').where('id', '=', vm.id).forUpdate().execute();
  // that job notices the loss itself; the next look finds what it leaves
  if (await hasPendingJob(trx, vm.uuid)) return false;
  const { applied } = await transitionVm(trx, vm.id, 'host-fenced', {
    host_id: null,
    // what is left of it there is a stray
    last_host_id: null,
    ha_lease_seconds: null,
    ha_restart: true,
    power_state: 'Stopped',
    power_state_update_time: new Date(),
  });
  if (!applied) return false;
  const jobUuid = await queue.enqueue(trx, {
    command: 'startVirtualMachine',
    parameters: { vmId: vm.id },
    userId: vm.userId,
    accountId: vm.accountId,
    instanceType: 'VirtualMachine',
    instanceUuid: vm.uuid,
  });
  await recordEvent(trx, {
    type: 'ALERT.USERVM',
    level: 'WARN',
    description: `Instance ${vm.name} was lost with its host and is started elsewhere`,
    userId: vm.userId,
    accountId: vm.accountId,
    resourceType: 'VirtualMachine',
    resourceUuid: vm.uuid,
    jobUuid,
  });
  context.log.warn({ vm: vm.uuid }, 'an instance of a lost host is started elsewhere');
  return true;
}

function isThere(host: Row<'host'>): boolean {
  return host.status === 'Up' || host.status === 'Connecting';
}

function hostOf(executor: Executor, hostId: number): Promise<Row<'host'>> {
  return executor.selectFrom('host').selectAll().where('id', '=', hostId).executeTakeFirstOrThrow();
}

function alertOf(context: Context, host: Row<'host'>) {
  return {
    type: 'ALERT.COMPUTE.HOST',
    level: 'ERROR',
    userId: context.job.userId,
    accountId: context.job.accountId,
    resourceType: 'Host',
    resourceUuid: host.uuid,
  } as const;
}

/** Every look says the same: it is told once. */
async function alertOnce(context: Context, host: Row<'host'>, text: string): Promise<void> {
  const description = `Host ${host.name} is away; ${text}`;
  await context.write(async (trx) => {
    const said = await trx
      .selectFrom('event')
      .select('id')
      .where('type', '=', 'ALERT.COMPUTE.HOST')
      .where('resource_uuid', '=', host.uuid)
      .where('description', '=', description)
      .where('created', '>=', host.disconnected ?? new Date(0))
      .executeTakeFirst();
    if (!said) await recordEvent(trx, { ...alertOf(context, host), description });
  });
}
