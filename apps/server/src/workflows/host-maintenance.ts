import { ApiError } from '@millrace/api';
import { sleep } from '@millrace/core';
import type { AgentGateway } from '../agents/gateway.ts';
import { describeHosts } from '../commands/responses/describe-hosts.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import type { JobQueue } from '../jobs/queue.ts';
import { hasPendingJob } from '../store/async-jobs.ts';
import { recordEvent } from '../store/events.ts';
import { listHostRows } from '../store/host-list.ts';
import type { Row } from '../store/schema.ts';

type Context = JobContext<'prepareHostForMaintenance'>;

const lookEveryMs = 500;
/** A move may fail for a reason that passes; an instance that cannot be moved is stopped. */
const mostMoves = 2;

interface Evacuation {
  readonly context: Context;
  readonly queue: () => JobQueue;
  readonly host: Row<'host'>;
}

/**
 * Empties a host: no new instances come to it, those that run are moved to others where their disks can be reached from
 * there, and stopped where not. Each by a job of its own, so that nothing else happens to an instance meanwhile.
 */
export function prepareHostForMaintenance(deps: {
  readonly queue: () => JobQueue;
}): JobDefinition<'prepareHostForMaintenance'> {
  return {
    async run(context) {
      const { hostId } = context.parameters;
      const host = await context.read((database) =>
        database.selectFrom('host').selectAll().where('id', '=', hostId).executeTakeFirstOrThrow(),
      );
      const evacuation: Evacuation = { context, queue: deps.queue, host };
      const left = await evacuate(evacuation);
      if (left.length > 0) {
        const text = `host ${host.name} is not empty: ${left.join('; ')}`;
        await become(evacuation, 'ErrorInMaintenance', text);
        throw new ApiError('INTERNAL_ERROR', text);
      }
      await become(evacuation, 'Maintenance', `Host ${host.name} is in maintenance`);
      return hostAnswer(context, hostId);
    },
    async giveUp(context, reason) {
      const host = await context.read((database) =>
        database
          .selectFrom('host')
          .selectAll()
          .where('id', '=', context.parameters.hostId)
          .executeTakeFirstOrThrow(),
      );
      await become({ context, host }, 'ErrorInMaintenance', `host ${host.name} was not emptied: ${reason}`);
    },
  };
}

/** Its deed is done with the request: only the answer is asynchronous, as in CloudStack. */
export function cancelHostMaintenance(): JobDefinition<'cancelHostMaintenance'> {
  return { run: (context) => hostAnswer(context, context.parameters.hostId) };
}

/** An agent comes back within seconds; a host that does not has something else. */
const reconnectWithinMs = 30_000;

/** Ends the host's connection to this server and waits for the next one. @throws ApiError 534 when none comes */
export function reconnectHost(deps: {
  readonly agents: Pick<AgentGateway, 'disconnect' | 'isConnected'>;
}): JobDefinition<'reconnectHost'> {
  return {
    async run(context) {
      const { hostId } = context.parameters;
      deps.agents.disconnect(hostId, 'an administrator asked it to connect again');
      const patience = AbortSignal.timeout(reconnectWithinMs);
      while (!deps.agents.isConnected(hostId)) {
        context.signal.throwIfAborted();
        if (patience.aborted)
          throw new ApiError(
            'RESOURCE_UNAVAILABLE_ERROR',
            'the host did not connect again: see whether millrace-agent runs on it',
          );
        await sleep(lookEveryMs, context.signal);
      }
      return hostAnswer(context, hostId);
    },
  };
}

async function hostAnswer(context: JobContext, hostId: number): Promise<object> {
  return context.read(async (database) => {
    const { uuid } = await database
      .selectFrom('host')
      .select('uuid')
      .where('id', '=', hostId)
      .executeTakeFirstOrThrow();
    const { rows } = await listHostRows(database, { uuid }, { limit: 1, offset: 0 });
    return { host: (await describeHosts(database, rows))[0] };
  });
}

/** @returns what stays, in words */
async function evacuate(evacuation: Evacuation): Promise<string[]> {
  const { context, host } = evacuation;
  const tries = new Map<number, number>();
  for (;;) {
    context.signal.throwIfAborted();
    const vms = await context.read((database) =>
      database
        .selectFrom('vm_instance')
        .selectAll()
        .where('host_id', '=', host.id)
        .where('removed', 'is', null)
        .orderBy('id')
        .execute(),
    );
    const total = Math.max(1, tries.size);
    context.progress.report({
      phase: 'emptying-host',
      percent: Math.min(95, (100 * (total - vms.length)) / total),
    });
    if (vms.length === 0) return [];
    const stuck = vms.filter((vm) => (tries.get(vm.id) ?? 0) > mostMoves);
    if (stuck.length === vms.length) return stuck.map((vm) => `instance ${vm.name} is still ${vm.state}`);
    for (const vm of vms) await begin(evacuation, vm, tries);
    await sleep(lookEveryMs, context.signal);
  }
}

/** Starts the next job on an instance, unless one is under way. */
async function begin({ context, queue }: Evacuation, vm: Row<'vm_instance'>, tries: Map<number, number>) {
  const number = tries.get(vm.id) ?? 0;
  if (number > mostMoves) return;
  const begun = await context.write(async (trx) => {
    const now = await trx
      .selectFrom('vm_instance')
      .select(['state'])
      .where('id', '=', vm.id)
      .forUpdate()
      .executeTakeFirstOrThrow();
    if (await hasPendingJob(trx, vm.uuid)) return false;
    const request = {
      userId: context.job.userId,
      accountId: vm.account_id,
      instanceType: 'VirtualMachine',
      instanceUuid: vm.uuid,
    };
    if (now.state === 'Running' && number < mostMoves)
      await queue().enqueue(trx, {
        ...request,
        command: 'migrateVirtualMachine',
        parameters: { vmId: vm.id },
      });
    else
      await queue().enqueue(trx, {
        ...request,
        command: 'stopVirtualMachine',
        parameters: { vmId: vm.id, forced: false },
      });
    return true;
  });
  if (begun) tries.set(vm.id, number + 1);
}

async function become(
  { context, host }: Pick<Evacuation, 'context' | 'host'>,
  state: 'Maintenance' | 'ErrorInMaintenance',
  description: string,
): Promise<void> {
  await context.write(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('host')
      .set({ resource_state: state })
      .where('id', '=', host.id)
      // cancelled meanwhile
      .where('resource_state', '=', 'PrepareForMaintenance')
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return;
    await recordEvent(trx, {
      type: 'MAINT.PREPARE',
      level: state === 'Maintenance' ? 'INFO' : 'ERROR',
      description,
      userId: context.job.userId,
      accountId: context.job.accountId,
      resourceType: 'Host',
      resourceUuid: host.uuid,
      jobUuid: context.job.uuid,
    });
  });
}
