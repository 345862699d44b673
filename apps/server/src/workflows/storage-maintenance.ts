import { ApiError } from '@millrace/api';
import { sleep } from '@millrace/core';
import { loadStoragePool } from '../commands/responses/storage-pool.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import type { JobQueue } from '../jobs/queue.ts';
import { hasPendingJob } from '../store/async-jobs.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';

type Context = JobContext<'enableStorageMaintenance' | 'cancelStorageMaintenance'>;

interface Maintenance {
  readonly context: Context;
  readonly queue: () => JobQueue;
  readonly pool: Row<'storage_pool'>;
}

const lookEveryMs = 500;
/** A guest that does not end by itself is ended. */
const mostStops = 2;

/** Stops what has a disk on a pool, each by a job of its own, and notes which: they start when the maintenance ends. */
export function enableStorageMaintenance(deps: {
  readonly queue: () => JobQueue;
}): JobDefinition<'enableStorageMaintenance'> {
  return {
    async run(context) {
      const maintenance = { context, queue: deps.queue, pool: await poolOf(context) };
      const left = await stopAll(maintenance);
      if (left.length > 0) {
        const text = `storage pool ${maintenance.pool.name} is still in use: ${left.join('; ')}`;
        await become(maintenance, 'ErrorInMaintenance', text);
        throw new ApiError('INTERNAL_ERROR', text);
      }
      await become(maintenance, 'Maintenance', `Storage pool ${maintenance.pool.name} is in maintenance`);
      return answer(context);
    },
    async giveUp(context, reason) {
      const maintenance = { context, queue: deps.queue, pool: await poolOf(context) };
      await become(
        maintenance,
        'ErrorInMaintenance',
        `storage pool ${maintenance.pool.name} was not taken out of use: ${reason}`,
      );
    },
  };
}

/** Starts again what the maintenance stopped; nobody waits for that. */
export function cancelStorageMaintenance(deps: {
  readonly queue: () => JobQueue;
}): JobDefinition<'cancelStorageMaintenance'> {
  return {
    async run(context) {
      const pool = await poolOf(context);
      await context.write(async (trx) => {
        const stopped = await trx
          .deleteFrom('storage_pool_work')
          .where('pool_id', '=', pool.id)
          .returning('vm_id')
          .execute();
        for (const { vm_id: vmId } of stopped) {
          const vm = await lockVm(trx, vmId);
          if (vm.state !== 'Stopped' || vm.removed !== null || (await hasPendingJob(trx, vm.uuid))) continue;
          await deps.queue().enqueue(trx, {
            command: 'startVirtualMachine',
            parameters: { vmId },
            ...requestFor(context, vm),
          });
        }
      });
      return answer(context);
    },
  };
}

async function poolOf(context: Context): Promise<Row<'storage_pool'>> {
  return context.read((database) =>
    database
      .selectFrom('storage_pool')
      .selectAll()
      .where('id', '=', context.parameters.poolId)
      .executeTakeFirstOrThrow(),
  );
}

async function answer(context: Context): Promise<object> {
  const { uuid } = await poolOf(context);
  return context.read(async (database) => ({ storagepool: await loadStoragePool(database, uuid) }));
}

/** @returns what still uses the pool, in words */
async function stopAll(maintenance: Maintenance): Promise<string[]> {
  const { context, pool } = maintenance;
  const tries = new Map<number, number>();
  for (;;) {
    context.signal.throwIfAborted();
    const using = await context.read((database) => usersOf(database, pool.id));
    context.progress.report({
      phase: 'stopping',
      percent: Math.min(95, (100 * (tries.size - using.length)) / Math.max(1, tries.size)),
    });
    if (using.length === 0) return [];
    const stuck = using.filter(({ id }) => (tries.get(id) ?? 0) >= mostStops);
    const busy = await context.read(async (database) => {
      const pending = await Promise.all(stuck.map(({ uuid }) => hasPendingJob(database, uuid)));
      return pending.includes(true);
    });
    if (stuck.length === using.length && !busy)
      return stuck.map(({ name, state }) => `instance ${name} is ${state}`);
    for (const vm of using) await stop(maintenance, vm.id, tries);
    await sleep(lookEveryMs, context.signal);
  }
}

/** Instances with a disk on the pool, or an ISO of it in their drive, that a host has. */
async function usersOf(executor: Executor, poolId: number) {
  return executor
    .selectFrom('vm_instance')
    .where('removed', 'is', null)
    .where('host_id', 'is not', null)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('volumes')
          .whereRef('volumes.instance_id', '=', 'vm_instance.id')
          .where('volumes.pool_id', '=', poolId)
          .where('volumes.removed', 'is', null)
          .select('volumes.id'),
      ),
    )
    .select(['id', 'uuid', 'name', 'state'])
    .orderBy('id')
    .execute();
}

async function stop({ context, queue, pool }: Maintenance, vmId: number, tries: Map<number, number>) {
  const number = tries.get(vmId) ?? 0;
  if (number >= mostStops) return;
  const begun = await context.write(async (trx) => {
    const vm = await lockVm(trx, vmId);
    if (vm.host_id === null || (await hasPendingJob(trx, vm.uuid))) return false;
    if (vm.state === 'Running')
      await trx
        .insertInto('storage_pool_work')
        .values({ pool_id: pool.id, vm_id: vm.id })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    await queue().enqueue(trx, {
      command: 'stopVirtualMachine',
      parameters: { vmId: vm.id, forced: number > 0 },
      ...requestFor(context, vm),
    });
    return true;
  });
  if (begun) tries.set(vmId, number + 1);
}

async function lockVm(trx: Executor, vmId: number): Promise<Row<'vm_instance'>> {
  return trx
    .selectFrom('vm_instance')
    .selectAll()
    .where('id', '=', vmId)
    .forUpdate()
    .executeTakeFirstOrThrow();
}

function requestFor(context: Context, vm: Row<'vm_instance'>) {
  return {
    userId: context.job.userId,
    accountId: vm.account_id,
    instanceType: 'VirtualMachine',
    instanceUuid: vm.uuid,
  };
}

async function become(
  { context, pool }: Maintenance,
  status: 'Maintenance' | 'ErrorInMaintenance',
  description: string,
): Promise<void> {
  await context.write(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('storage_pool')
      .set({ status })
      .where('id', '=', pool.id)
      // cancelled meanwhile
      .where('status', '=', 'PrepareForMaintenance')
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return;
    await recordEvent(trx, {
      type: 'MAINT.PREPARE.PS',
      level: status === 'Maintenance' ? 'INFO' : 'ERROR',
      description,
      userId: context.job.userId,
      accountId: context.job.accountId,
      resourceType: 'StoragePool',
      resourceUuid: pool.uuid,
      jobUuid: context.job.uuid,
    });
  });
}
