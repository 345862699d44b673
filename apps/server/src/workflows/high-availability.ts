import { describeError, type Logger } from '@millrace/core';
import type { JobQueue } from '../jobs/queue.ts';
import { hasPendingJob, jobStatus } from '../store/async-jobs.ts';
import { isPassing } from '../store/connection-loss.ts';
import type { Database, Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { type LostInstance, lostInstances, whyItStays } from './lost-instances.ts';

export interface HighAvailabilityDeps {
  readonly database: Database;
  readonly jobs: JobQueue;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const lookEveryMs = 2000;
/** After a look that was not certain. */
const lookAgainMs = 15_000;
/** After a start that failed, and after one that succeeded: a guest that crashes at once must not keep its host busy. */
const startAgainMs = { failed: 60_000, succeeded: 10_000 } as const;

/** Looks regularly, on every server, for lost hosts and for instances that have to run again. @returns what ends it */
export function startHighAvailability(deps: HighAvailabilityDeps): () => void {
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    recoverHosts(deps)
      .then(() => startAgain(deps))
      .catch((error: unknown) => {
        if (deps.signal.aborted || isPassing(error)) return;
        deps.log.error({ error: describeError(error) }, 'lost hosts cannot be looked for');
      })
      .finally(() => {
        busy = false;
      });
  }, lookEveryMs);
  return () => clearInterval(timer);
}

/** Begins a job for every lost host that had highly available instances. @returns how many */
export async function recoverHosts(deps: HighAvailabilityDeps): Promise<number> {
  const lost = await deps.database
    .selectFrom('host')
    .selectAll()
    .where('status', 'in', ['Disconnected', 'Alert', 'Down'])
    .where('removed', 'is', null)
    .orderBy('id')
    .execute();
  let count = 0;
  for (const host of lost) {
    const instances = await lostInstances(deps.database, host.id, {
      trusted: host.resource_state === 'Degraded',
    });
    if (instances.length === 0) continue;
    if (host.status !== 'Disconnected') await tellWhichStay(deps.database, host, instances);
    if (!instances.some(({ recovery }) => recovery === 'elsewhere')) continue;
    if (await beginRecovery(deps, host)) count++;
  }
  return count;
}

async function beginRecovery(deps: HighAvailabilityDeps, host: Row<'host'>): Promise<boolean> {
  return deps.database.transaction().execute(async (trx) => {
    // of two servers one begins it
    const now = await trx
      .selectFrom('host')
      .select('status')
      .where('id', '=', host.id)
      .forUpdate()
      .executeTakeFirstOrThrow();
    if (now.status === 'Up' || now.status === 'Connecting') return false;
    if (await hasPendingJob(trx, host.uuid)) return false;
    const recent = await trx
      .selectFrom('async_job')
      .select('id')
      .where('instance_uuid', '=', host.uuid)
      .where('job_cmd', '=', 'recoverLostHost')
      .where('completed', '>', new Date(Date.now() - lookAgainMs))
      .executeTakeFirst();
    if (recent) return false;
    await deps.jobs.enqueue(trx, {
      command: 'recoverLostHost',
      parameters: { hostId: host.id },
      ...(await rootAdmin(trx)),
      instanceType: 'Host',
      instanceUuid: host.uuid,
    });
    return true;
  });
}

/** What the server does on its own is the first administrator's. */
async function rootAdmin(executor: Executor): Promise<{ userId: number; accountId: number }> {
  return executor
    .selectFrom('user')
    .innerJoin('account', 'account.id', 'user.account_id')
    .where('account.type', '=', 1)
    .select(['user.id as userId', 'account.id as accountId'])
    .orderBy('user.id')
    .limit(1)
    .executeTakeFirstOrThrow();
}

async function tellWhichStay(
  database: Database,
  host: Row<'host'>,
  instances: readonly LostInstance[],
): Promise<void> {
  for (const vm of instances) {
    if (vm.recovery === 'elsewhere') continue;
    const description = `Instance ${vm.name} stays on its lost host: ${whyItStays[vm.recovery]}`;
    await database.transaction().execute(async (trx) => {
      await trx.selectFrom('vm_instance').select('id').where('id', '=', vm.id).forUpdate().execute();
      const said = await trx
        .selectFrom('event')
        .select('id')
        .where('resource_uuid', '=', vm.uuid)
        .where('description', '=', description)
        .where('created', '>=', host.disconnected ?? new Date(0))
        .executeTakeFirst();
      if (said) return;
      await recordEvent(trx, {
        type: 'ALERT.USERVM',
        level: 'WARN',
        description,
        userId: vm.userId,
        accountId: vm.accountId,
        resourceType: 'VirtualMachine',
        resourceUuid: vm.uuid,
      });
    });
  }
}

/** Starts instances that ended without being asked to, and whose start failed or was never begun. @returns how many */
export async function startAgain(
  deps: Pick<HighAvailabilityDeps, 'database' | 'jobs'>,
  afterMs: { readonly failed: number; readonly succeeded: number } = startAgainMs,
): Promise<number> {
  const waiting = await deps.database
    .selectFrom('vm_instance')
    .selectAll()
    .where('ha_restart', '=', true)
    .where('ha_enabled', '=', true)
    .where('state', '=', 'Stopped')
    .where('removed', 'is', null)
    .execute();
  let count = 0;
  for (const vm of waiting) {
    const begun = await deps.database.transaction().execute(async (trx) => {
      const now = await trx
        .selectFrom('vm_instance')
        .select(['state', 'ha_restart'])
        .where('id', '=', vm.id)
        .forUpdate()
        .executeTakeFirstOrThrow();
      if (now.state !== 'Stopped' || !now.ha_restart || (await hasPendingJob(trx, vm.uuid))) return false;
      const recent = await trx
        .selectFrom('async_job')
        .select('id')
        .where('instance_uuid', '=', vm.uuid)
        .where('job_cmd', '=', 'startVirtualMachine')
        .where((where) =>
          where.or([
            where('completed', '>', new Date(Date.now() - afterMs.succeeded)),
            where('completed', '>', new Date(Date.now() - afterMs.failed)).and(
              'job_status',
              '=',
              jobStatus.failed,
            ),
          ]),
        )
        .executeTakeFirst();
      if (recent) return false;
      await deps.jobs.enqueue(trx, {
        command: 'startVirtualMachine',
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
  return count;
}
