import { randomUUID } from 'node:crypto';
import type { VmPowerState, VmStateReport } from '@millrace/agent-protocol';
import { describeError, type Logger, sleep } from '@millrace/core';
import { type VmEvent, vmStateOf } from '../domain/virtual-machine-states.ts';
import { hasPendingJob } from '../store/async-jobs.ts';
import type { Database, Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { transitionVm } from '../store/vm-transitions.ts';
import type { AgentGateway } from './gateway.ts';
import { judgePowerReport, type PowerReportVerdict } from './power-report.ts';

export interface VmReports {
  /** One domain changed. */
  changed(hostId: number, report: VmStateReport): Promise<void>;
  /**
   * Everything the host has: instances that should be there and are not named are missing. Resolves when what runs there
   * and must not is gone. @throws when that fails
   */
  reconcile(hostId: number, reports: readonly VmStateReport[]): Promise<void>;
}

/** A host that is connected and does not answer is no reason to wait for ever; it reports again when it reconnects. */
const answerWithinMs = { state: 30_000, remove: 120_000 } as const;

/** While a job is at work on an instance its host is asked again this often. */
const lookAgainMs = 2000;

export interface VmReportDeps {
  readonly database: Database;
  readonly gateway: AgentGateway;
  readonly log: Logger;
  /** Aborts when the server stops. */
  readonly signal: AbortSignal;
}

/** Turns what hosts report of domains into states of instances. */
export function makeVmReports(deps: VmReportDeps): VmReports {
  const { database, log, signal } = deps;
  const lookingAgain = new Set<string>();

  /** @returns the removal of a stray, which may take a while */
  const apply = async (
    hostId: number,
    uuid: string,
    reported: VmPowerState,
  ): Promise<{ readonly removal?: Promise<void> }> => {
    const verdict = await database.transaction().execute((trx) => judge(trx, hostId, uuid, reported));
    if (verdict.kind === 'look-again') void lookAgain(hostId, uuid);
    if (verdict.kind !== 'stray') return {};
    const removal = removeStray(deps, hostId, { uuid, instanceName: verdict.instanceName });
    removal.catch(() => {});
    return { removal };
  };

  const lookAgain = async (hostId: number, uuid: string) => {
    const key = `${hostId} ${uuid}`;
    if (lookingAgain.has(key)) return;
    lookingAgain.add(key);
    try {
      const state = await stateAfterJobs(deps, hostId, uuid);
      // before it is applied: a job that has begun meanwhile wants another look
      lookingAgain.delete(key);
      if (state) await apply(hostId, uuid, state);
    } catch (error) {
      // a host that is away says everything anew when it is back
      if (!signal.aborted) log.debug({ vm: uuid, error: describeError(error) }, 'a report was not checked');
    } finally {
      lookingAgain.delete(key);
    }
  };

  return {
    async changed(hostId, report) {
      await apply(hostId, report.uuid, report.state);
    },
    async reconcile(hostId, reports) {
      const named = new Set(reports.map((report) => report.uuid));
      const expected = await database
        .selectFrom('vm_instance')
        .select('uuid')
        .where('host_id', '=', hostId)
        .where('removed', 'is', null)
        .execute();
      const running: Promise<void>[] = [];
      for (const report of reports) {
        const { removal } = await apply(hostId, report.uuid, report.state);
        if (removal && report.state === 'Running') running.push(removal);
      }
      for (const { uuid } of expected) if (!named.has(uuid)) await apply(hostId, uuid, 'Missing');
      await Promise.all(running);
    },
  };
}

async function judge(
  trx: Executor,
  hostId: number,
  uuid: string,
  reported: VmPowerState,
): Promise<PowerReportVerdict & { readonly instanceName: string }> {
  const vm = await lockVm(trx, uuid);
  // a domain that is no instance of ours is none of our business
  if (!vm) return { kind: 'nothing', instanceName: '' };
  if (vm.host_id === hostId)
    await trx
      .updateTable('vm_instance')
      .set({ power_state: reported, power_state_update_time: new Date() })
      .where('id', '=', vm.id)
      .execute();
  const judged = judgePowerReport(
    {
      state: vmStateOf(vm.state),
      hostId: vm.host_id,
      lastHostId: vm.last_host_id,
      hasPendingJob: await hasPendingJob(trx, uuid),
    },
    hostId,
    reported,
  );
  if (judged.kind === 'transition') await transition(trx, vm, hostId, judged.event);
  return { ...judged, instanceName: vm.instance_name };
}

/** Waits until no job is at work on the instance and asks the host how it is then. */
async function stateAfterJobs(
  deps: VmReportDeps,
  hostId: number,
  uuid: string,
): Promise<VmPowerState | undefined> {
  do await sleep(lookAgainMs, deps.signal);
  while (await hasPendingJob(deps.database, uuid));
  const vm = await findVm(deps.database, uuid);
  if (!vm) return undefined;
  const { state } = await deps.gateway.call(
    hostId,
    'vm.state',
    { vm: { uuid, instanceName: vm.instance_name } },
    {
      operationId: `look-again-${randomUUID()}`,
      signal: AbortSignal.any([deps.signal, AbortSignal.timeout(answerWithinMs.state)]),
      reconnectWithinMs: 5000,
    },
  );
  return state;
}

async function removeStray(
  deps: VmReportDeps,
  hostId: number,
  vm: { readonly uuid: string; readonly instanceName: string },
): Promise<void> {
  const { gateway, log, signal } = deps;
  log.warn({ host: hostId, vm: vm.uuid }, 'a domain left by an earlier attempt is removed');
  const options = {
    operationId: `stray-${randomUUID()}`,
    signal: AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs.remove)]),
    reconnectWithinMs: 5000,
  };
  try {
    await gateway.call(hostId, 'vm.remove', { vm }, options);
  } catch (error) {
    if (!signal.aborted)
      log.warn({ host: hostId, vm: vm.uuid, error: describeError(error) }, 'a stray domain stays');
    throw error;
  }
}

async function transition(
  executor: Executor,
  vm: Row<'vm_instance'>,
  hostId: number,
  event: VmEvent,
): Promise<void> {
  if (event === 'started') {
    await transitionVm(executor, vm.id, 'started', { host_id: hostId });
    return;
  }
  const runsAgain = vm.ha_enabled && (await readSetting(executor, 'ha.vm.restart.hostup'));
  const { applied } = await transitionVm(executor, vm.id, 'stopped', {
    host_id: null,
    last_host_id: hostId,
    ha_restart: runsAgain,
  });
  if (!applied) return;
  await recordEvent(executor, {
    type: 'VM.STOP',
    description: `Instance ${vm.display_name} was powered off from inside or by its host`,
    accountId: vm.account_id,
    userId: vm.user_id,
    resourceType: 'VirtualMachine',
    resourceUuid: vm.uuid,
  });
}

function findVm(executor: Executor, uuid: string): Promise<Row<'vm_instance'> | undefined> {
  return executor.selectFrom('vm_instance').selectAll().where('uuid', '=', uuid).executeTakeFirst();
}

/** A job is enqueued under this same lock, so "no job is pending" stays true while the report is applied. */
function lockVm(executor: Executor, uuid: string): Promise<Row<'vm_instance'> | undefined> {
  return executor
    .selectFrom('vm_instance')
    .selectAll()
    .where('uuid', '=', uuid)
    .forUpdate()
    .executeTakeFirst();
}
