import { ApiError, entityNotFound, specs } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { pendingJobOf } from '../store/virtual-machines.ts';
import { type Caller, implement } from './command.ts';

export const enableStorageMaintenance = implement(
  specs.enableStorageMaintenance,
  async ({ params, database, jobs, caller }) => {
    const jobId = await database.transaction().execute(async (trx) => {
      const pool = await lockPool(trx, params.id);
      if (!['Up', 'Disabled', 'ErrorInMaintenance'].includes(pool.status))
        throw new ApiError('PARAM_ERROR', `storage pool ${pool.name} is ${pool.status}`);
      const job = await pendingJobOf(trx, pool.uuid);
      if (job)
        throw new ApiError(
          'RESOURCE_IN_USE_ERROR',
          `storage pool ${pool.name} is busy: ${job.job_cmd} is running as job ${job.uuid}`,
        );
      // from now on nothing new is placed on it, and nothing that lies there starts
      await setStatus(trx, pool, 'PrepareForMaintenance');
      return jobs.enqueue(trx, requestOf('enableStorageMaintenance', pool, caller));
    });
    return { jobId };
  },
);

export const cancelStorageMaintenance = implement(
  specs.cancelStorageMaintenance,
  async ({ params, database, jobs, caller }) => {
    const jobId = await database.transaction().execute(async (trx) => {
      const pool = await lockPool(trx, params.id);
      if (!['Maintenance', 'PrepareForMaintenance', 'ErrorInMaintenance'].includes(pool.status))
        throw new ApiError('PARAM_ERROR', `storage pool ${pool.name} is ${pool.status}, not in maintenance`);
      await setStatus(trx, pool, 'Up');
      await recordEvent(trx, {
        type: 'MAINT.CANCEL.PS',
        description: `Storage pool ${pool.name} is in use again`,
        userId: caller.userId,
        accountId: caller.accountId,
        resourceType: 'StoragePool',
        resourceUuid: pool.uuid,
      });
      return jobs.enqueue(trx, requestOf('cancelStorageMaintenance', pool, caller));
    });
    return { jobId };
  },
);

async function lockPool(trx: Executor, uuid: string): Promise<Row<'storage_pool'>> {
  const pool = await trx
    .selectFrom('storage_pool')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('removed', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (!pool) throw entityNotFound('id', uuid);
  return pool;
}

async function setStatus(trx: Executor, pool: Row<'storage_pool'>, status: string): Promise<void> {
  await trx.updateTable('storage_pool').set({ status }).where('id', '=', pool.id).execute();
}

function requestOf<C extends 'enableStorageMaintenance' | 'cancelStorageMaintenance'>(
  command: C,
  { id, uuid }: Row<'storage_pool'>,
  { userId, accountId }: Caller,
) {
  const parameters = { poolId: id };
  return { command, parameters, userId, accountId, instanceType: 'StoragePool', instanceUuid: uuid };
}
