import { ApiError, entityNotFound, specs } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { pendingJobOf } from '../store/virtual-machines.ts';
import { implement } from './command.ts';

export const prepareHostForMaintenance = implement(
  specs.prepareHostForMaintenance,
  async ({ params, database, jobs, caller }) => {
    const jobId = await database.transaction().execute(async (trx) => {
      const host = await lockHost(trx, params.id);
      if (!['Enabled', 'Disabled', 'ErrorInMaintenance'].includes(host.resource_state)) {
        throw new ApiError('PARAM_ERROR', `host ${host.name} is in ${host.resource_state} already`);
      }
      const job = await pendingJobOf(trx, host.uuid);
      if (job) {
        throw new ApiError(
          'RESOURCE_IN_USE_ERROR',
          `host ${host.name} is busy: ${job.job_cmd} is running as job ${job.uuid}`,
        );
      }
      // from now on nothing new is placed on it
      await setState(trx, host, 'PrepareForMaintenance');
      return jobs.enqueue(trx, {
        command: 'prepareHostForMaintenance',
        parameters: { hostId: host.id },
        userId: caller.userId,
        accountId: caller.accountId,
        instanceType: 'Host',
        instanceUuid: host.uuid,
      });
    });
    return { jobId };
  },
);

export const reconnectHost = implement(specs.reconnectHost, async ({ params, database, jobs, caller }) =>
  database.transaction().execute(async (trx) => {
    const host = await lockHost(trx, params.id);
    await recordEvent(trx, {
      type: 'HOST.RECONNECT',
      description: `Host ${host.name} is asked to connect again`,
      userId: caller.userId,
      accountId: caller.accountId,
      resourceType: 'Host',
      resourceUuid: host.uuid,
    });
    const jobId = await jobs.enqueue(trx, {
      command: 'reconnectHost',
      parameters: { hostId: host.id },
      userId: caller.userId,
      accountId: caller.accountId,
      instanceType: 'Host',
      instanceUuid: host.uuid,
    });
    return { jobId };
  }),
);

export const cancelHostMaintenance = implement(
  specs.cancelHostMaintenance,
  async ({ params, database, jobs, caller }) => {
    const jobId = await database.transaction().execute(async (trx) => {
      const host = await lockHost(trx, params.id);
      if (!['Maintenance', 'PrepareForMaintenance', 'ErrorInMaintenance'].includes(host.resource_state)) {
        throw new ApiError(
          'PARAM_ERROR',
          `host ${host.name} is in ${host.resource_state}, not in maintenance`,
        );
      }
      await setState(trx, host, 'Enabled');
      await recordEvent(trx, {
        type: 'MAINT.CANCEL',
        description: `Host ${host.name} takes instances again`,
        userId: caller.userId,
        accountId: caller.accountId,
        resourceType: 'Host',
        resourceUuid: host.uuid,
      });
      return jobs.enqueue(trx, {
        command: 'cancelHostMaintenance',
        parameters: { hostId: host.id },
        userId: caller.userId,
        accountId: caller.accountId,
        instanceType: 'Host',
        instanceUuid: host.uuid,
      });
    });
    return { jobId };
  },
);

async function lockHost(trx: Executor, uuid: string): Promise<Row<'host'>> {
  const host = await trx
    .selectFrom('host')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('removed', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (!host) throw entityNotFound('id', uuid);
  return host;
}

async function setState(trx: Executor, host: Row<'host'>, state: string): Promise<void> {
  await trx.updateTable('host').set({ resource_state: state }).where('id', '=', host.id).execute();
}
