import { ApiError } from '@millrace/api';
import { sleep } from '@millrace/core';
import { loadStoragePool } from '../commands/responses/storage-pool.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import type { JobQueue } from '../jobs/queue.ts';
import { type RunSteps, type Step, StepFailed } from '../jobs/steps.ts';
import { hasPendingJob, jobStatus } from '../store/async-jobs.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';

type Context = JobContext<'enableStorageMaintenance' | 'cancelStorageMaintenance'>;

interface Deps {
  readonly queue: () => JobQueue;
  readonly runSteps: RunSteps;
}

interface Maintenance {
  readonly context: Context;
  readonly queue: () => JobQueue;
  readonly pool: Row<'storage_pool'>;
}

const lookEveryMs = 500;

/**
 * Stops what has a disk on a pool, each by a job of its own, and notes which: they start when the maintenance ends, also
 * one that did not succeed, so that no step undoes what it did.
 */
export function enableStorageMaintenance(deps: Deps): JobDefinition<'enableStorageMaintenance'> {
  return {
    async run(context) {
      const maintenance = { context, queue: deps.queue, pool: await poolOf(context) };
      const { name } = maintenance.pool;
      try {
        await deps.runSteps<object>({
          context,
          prefix: '',
          steps: [
            stopStep(maintenance, { name: 'stop', forced: false }),
            // a guest that does not end by itself is ended
            stopStep(maintenance, { name: 'stop-forcibly', forced: true }),
            {
              name: 'take-out-of-use',
              do: async () => {
                const left = await usersOf(maintenance);
                if (left.length > 0) {
                  const words = left.map((vm) => `instance ${vm.name} is ${vm.state}`).join('; ');
                  throw new ApiError('INTERNAL_ERROR', `storage pool ${name} is still in use: ${words}`);
                }
                await become(maintenance, 'Maintenance', `Storage pool ${name} is in maintenance`);
                return {};
              },
            },
          ],
          initial: {},
          decode: () => ({}),
        });
      } catch (error) {
        if (!(error instanceof StepFailed)) throw error;
        await become(maintenance, 'ErrorInMaintenance', error.message);
        throw new ApiError('INTERNAL_ERROR', error.message, { cause: error });
      }
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
export function cancelStorageMaintenance(deps: Deps): JobDefinition<'cancelStorageMaintenance'> {
  return {
    async run(context) {
      const maintenance = { context, queue: deps.queue, pool: await poolOf(context) };
      await deps.runSteps<object>({
        context,
        prefix: '',
        steps: [
          { name: 'wait-for-stops', do: () => waitForStops(maintenance) },
          { name: 'start', do: () => startAgain(maintenance) },
        ],
        initial: {},
        decode: () => ({}),
      });
      return answer(context);
    },
  };
}

/** What a maintenance that was cancelled while it stopped instances had begun comes to its end first. */
async function waitForStops({ context, pool }: Maintenance): Promise<object> {
  const underWay = () =>
    context.read((database) =>
      database
        .selectFrom('async_job')
        .where('job_status', '=', jobStatus.pending)
        .where(({ and, or, eb, selectFrom }) => {
          const ofPool = selectFrom('storage_pool_work')
            .innerJoin('vm_instance', 'vm_instance.id', 'storage_pool_work.vm_id')
            .where('pool_id', '=', pool.id)
            .select('vm_instance.uuid');
          return or([
            and({ job_cmd: 'enableStorageMaintenance', instance_uuid: pool.uuid }),
            and([eb('job_cmd', '=', 'stopVirtualMachine'), eb('instance_uuid', 'in', ofPool)]),
          ]);
        })
        .select('id')
        .executeTakeFirst(),
    );
  while (await underWay()) await sleep(lookEveryMs, context.signal);
  return {};
}

async function startAgain({ context, queue, pool }: Maintenance): Promise<object> {
  await context.write(async (trx) => {
    const stopped = await trx
      .deleteFrom('storage_pool_work')
      .where('pool_id', '=', pool.id)
      .returning('vm_id')
      .execute();
    for (const { vm_id: vmId } of stopped) {
      const vm = await lockVm(trx, vmId);
      if (vm.state !== 'Stopped' || vm.removed !== null || (await hasPendingJob(trx, vm.uuid))) continue;
      await queue().enqueue(trx, {
        command: 'startVirtualMachine',
        parameters: { vmId },
        ...requestFor(context, vm),
      });
    }
  });
  return {};
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

/** Has every instance stopped once that uses the pool, and waits for the ends of these jobs, however they end. */
function stopStep(
  maintenance: Maintenance,
  { name, forced }: { name: string; forced: boolean },
): Step<object> {
  const { context, pool } = maintenance;
  return {
    name,
    do: async () => {
      const asked = new Set<number>();
      for (;;) {
        await requireWanted(context, pool);
        const using = await usersOf(maintenance);
        context.progress.report({
          phase: 'stopping',
          percent: Math.min(95, (100 * (asked.size - using.length)) / Math.max(1, asked.size)),
        });
        let waiting = false;
        for (const vm of using) {
          if (await context.read((database) => hasPendingJob(database, vm.uuid))) waiting = true;
          else if (!asked.has(vm.id)) {
            if (await stop(maintenance, vm.id, forced)) asked.add(vm.id);
            waiting = true;
          }
        }
        if (!waiting) return {};
        await sleep(lookEveryMs, context.signal);
      }
    },
  };
}

/** @throws ApiError when the maintenance was cancelled meanwhile: what runs is to go on running */
async function requireWanted(context: Context, { name }: Row<'storage_pool'>): Promise<void> {
  context.signal.throwIfAborted();
  if ((await poolOf(context)).status !== 'PrepareForMaintenance')
    throw new ApiError('INTERNAL_ERROR', `the maintenance of storage pool ${name} was cancelled`);
}

/** Instances with a disk on the pool, or an ISO of it in their drive, that a host has. */
function usersOf({ context, pool }: Maintenance) {
  return context.read((database) => usersOfPool(database, pool.id));
}

async function usersOfPool(executor: Executor, poolId: number) {
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

/** @returns whether the job was begun: something else may be under way, or it has just ended */
async function stop({ context, queue, pool }: Maintenance, vmId: number, forced: boolean): Promise<boolean> {
  return context.write(async (trx) => {
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
      parameters: { vmId: vm.id, forced },
      ...requestFor(context, vm),
    });
    return true;
  });
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
