import { ApiError } from '@millrace/api';
import { MillraceError } from '@millrace/core';
import { z } from 'zod';
import { messageForUsers } from '../domain/host-failures.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import { type Step, StepFailed } from '../jobs/steps.ts';
import { beginAttempt, endAttempt } from '../store/deployment-attempts.ts';
import type { Row } from '../store/schema.ts';
import { holdCopy } from '../store/template-spool.ts';
import { callHost } from './agent-call.ts';
import { makeAttemptProgress } from './attempt-progress.ts';
import { undoReconnectMs } from './discard-volume.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { loadPlace, loadTemplateRow, loadVm, type Place, rootVolumeOf, templateFileName } from './records.ts';
import { connectedHostOf } from './template-copies.ts';
import { ensureTemplateOnPool } from './template-on-pool.ts';
import { reconnectBoundMs, recordVmEvent, vmAnswer } from './vm-job.ts';

type CdromCommand = 'attachIso' | 'detachIso';

/** What is true before anything is touched. `hostId` and `poolId` are absent while no host has the instance's disk. */
const cdromState = z.object({
  hostId: z.number(),
  poolId: z.number(),
  previousIsoId: z.number().nullable(),
});
type CdromState = z.infer<typeof cdromState>;

interface Change {
  readonly deps: WorkflowDeps;
  readonly context: JobContext<CdromCommand>;
  readonly vmId: number;
  /** What shall be in the drive; undefined: nothing. */
  readonly iso: Row<'vm_template'> | undefined;
  readonly forced: boolean;
  readonly reconnectMs: number;
}

/**
 * Puts an ISO into an instance's drive: the host that runs it fetches it to the pool of its disk, as it would a template,
 * and the guest sees it at once. Of a stopped instance the drive is filled when it starts.
 */
export function attachIso(deps: WorkflowDeps): JobDefinition<'attachIso'> {
  return {
    async run(context) {
      const { vmId, isoId, forced } = context.parameters;
      const iso = await context.read((database) => loadTemplateRow(database, isoId));
      return changeDrive({ deps, context, vmId, iso, forced, reconnectMs: await reconnectBoundMs(context) });
    },
    giveUp: (context, reason) => changeFailed(context, context.parameters.vmId, 'ISO.ATTACH', reason),
  };
}

export function detachIso(deps: WorkflowDeps): JobDefinition<'detachIso'> {
  return {
    async run(context) {
      const { vmId, forced } = context.parameters;
      const reconnectMs = await reconnectBoundMs(context);
      return changeDrive({ deps, context, vmId, iso: undefined, forced, reconnectMs });
    },
    giveUp: (context, reason) => changeFailed(context, context.parameters.vmId, 'ISO.DETACH', reason),
  };
}

async function changeDrive(change: Change): Promise<object> {
  const { context, deps, iso, vmId } = change;
  const type = iso ? 'ISO.ATTACH' : 'ISO.DETACH';
  const { vm } = await context.read((database) => loadVm(database, vmId));
  const doing = iso ? `attaching ISO ${iso.name} to` : 'detaching the ISO of';
  await context.write((trx) =>
    recordVmEvent(trx, context, vm, { type, state: 'Started', description: `${doing} instance ${vm.name}` }),
  );
  try {
    await deps.runSteps<CdromState>({
      context,
      prefix: 'cdrom/',
      steps: [
        planStep(change),
        ...(iso ? [prepareStep(change, iso)] : []),
        recordStep(change),
        insertStep(change),
      ],
      initial: {},
      // optional in zod also means undefined, which JSON does not have
      decode: (value) => cdromState.partial().parse(value) as Partial<CdromState>,
    });
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    const { failure } = error;
    const userText = `${doing} instance ${vm.name} failed: ${messageForUsers(failure.code, failure.message)}`;
    await changeFailed(context, vmId, type, userText, failure);
    if (error.cause instanceof ApiError) throw error.cause;
    throw new ApiError('INTERNAL_ERROR', `${doing} instance ${vm.name} failed: ${failure.message}`, {
      userText,
    });
  }
  await context.write(async (trx) => {
    await endAttempt(
      trx,
      { jobId: context.job.id, ordinal: 1 },
      { state: 'succeeded', next: 'done', phaseMs: context.progress.phaseMs() },
    );
    await recordVmEvent(trx, context, vm, {
      type,
      state: 'Completed',
      description: iso
        ? `Successfully attached ISO ${iso.name} to instance ${vm.name}`
        : `Successfully detached the ISO of instance ${vm.name}`,
    });
  });
  return vmAnswer(context, vmId);
}

function planStep({ context, deps, vmId, iso }: Change): Step<CdromState> {
  return {
    name: 'plan',
    do: async () => {
      const { vm } = await context.read((database) => loadVm(database, vmId));
      const volume = await context.read((database) => rootVolumeOf(database, vmId));
      const previousIsoId = vm.iso_id;
      const poolId = volume?.pool_id ?? undefined;
      if (poolId === undefined) return { previousIsoId };
      const hostId =
        vm.host_id ?? (await context.read((database) => connectedHostOf({ ...deps, database }, poolId)));
      if (hostId === undefined) return { previousIsoId };
      if (iso)
        await context.write((trx) =>
          beginAttempt(trx, { jobId: context.job.id, ordinal: 1 }, { vmId, hostId, poolId }),
        );
      return { previousIsoId, hostId, poolId };
    },
  };
}

function prepareStep(change: Change, iso: Row<'vm_template'>): Step<CdromState> {
  const { context, deps } = change;
  return {
    name: 'prepare-iso',
    do: async (state) => {
      const place = await placeOf(change, state);
      // nobody can fetch it now: the next start does, from the first host that will do
      if (!place) return {};
      const progress = makeAttemptProgress(context, 1, iso.source_count);
      progress.at(place.hostName, place.poolName);
      try {
        const ready = await ensureTemplateOnPool({
          context,
          agents: deps.agents,
          place,
          template: iso,
          step: 'cdrom/prepare-iso',
          reconnectMs: change.reconnectMs,
          onTransfer: (view) => progress.transfer(view),
        });
        progress.sources(ready.attempts);
      } finally {
        await progress.flush();
      }
      return {};
    },
  };
}

/** From here on the pool's copy is held by the instance. */
function recordStep({ context, vmId, iso }: Change): Step<CdromState> {
  return {
    name: 'record',
    do: async ({ poolId }) => {
      await context.write(async (trx) => {
        if (iso && poolId !== undefined) await holdCopy(trx, { poolId, templateId: iso.id });
        await trx
          .updateTable('vm_instance')
          .set({ iso_id: iso?.id ?? null })
          .where('id', '=', vmId)
          .execute();
      });
      return {};
    },
    undo: async ({ previousIsoId }) => {
      await context.write(async (trx) => {
        await trx
          .updateTable('vm_instance')
          .set({ iso_id: previousIsoId ?? null })
          .where('id', '=', vmId)
          .execute();
      });
    },
  };
}

function insertStep(change: Change): Step<CdromState> {
  const { context, vmId, iso } = change;
  return {
    name: 'change-drive',
    do: async (state) => {
      const { vm } = await context.read((database) => loadVm(database, vmId));
      const place = await placeOf(change, state);
      if (vm.state !== 'Running') return {};
      if (!place) throw new MillraceError('POOL_UNREACHABLE', 'no host reaches the disk of the instance');
      context.progress.report({ phase: 'changing-drive', percent: 90, hostname: place.hostName });
      await putIntoDrive(change, {
        vm,
        place,
        iso,
        operation: 'change-drive',
        reconnectMs: change.reconnectMs,
      });
      return {};
    },
    // a host that failed to answer may have done it
    undo: async (state) => {
      const { vm } = await context.read((database) => loadVm(database, vmId));
      const place = await placeOf(change, state);
      if (!place || vm.state !== 'Running') return;
      const previous = state.previousIsoId;
      const before =
        previous == null ? undefined : await context.read((database) => loadTemplateRow(database, previous));
      const undoing = {
        vm,
        place,
        iso: before,
        operation: 'undo-change-drive',
        reconnectMs: undoReconnectMs,
      };
      await putIntoDrive(change, undoing);
    },
  };
}

async function putIntoDrive(
  { context, deps, forced }: Change,
  drive: {
    readonly vm: Row<'vm_instance'>;
    readonly place: Place;
    readonly iso: Row<'vm_template'> | undefined;
    readonly operation: string;
    readonly reconnectMs: number;
  },
): Promise<void> {
  const { vm, place, iso } = drive;
  await callHost(deps.agents, {
    hostId: place.hostId,
    method: 'vm.cdrom',
    params: {
      vm: { uuid: vm.uuid, instanceName: vm.instance_name },
      pool: place.pool,
      ...(iso ? { path: templateFileName(iso) } : {}),
      forced,
    },
    operationId: `${context.job.uuid}/${drive.operation}`,
    signal: context.signal,
    reconnectMs: drive.reconnectMs,
  });
}

async function placeOf(
  { context }: Change,
  { hostId, poolId }: Partial<CdromState>,
): Promise<Place | undefined> {
  if (hostId === undefined || poolId === undefined) return undefined;
  return context.read((database) => loadPlace(database, hostId, poolId));
}

async function changeFailed(
  context: JobContext<CdromCommand>,
  vmId: number,
  type: 'ISO.ATTACH' | 'ISO.DETACH',
  reason: string,
  failure?: StepFailed['failure'],
): Promise<void> {
  const { vm } = await context.read((database) => loadVm(database, vmId));
  await context.write(async (trx) => {
    await endAttempt(
      trx,
      { jobId: context.job.id, ordinal: 1 },
      {
        state: 'failed',
        next: 'stop',
        reason: failure?.code ?? 'UNEXPECTED',
        message: failure?.message ?? reason,
        sources: failure?.attempts,
        phaseMs: context.progress.phaseMs(),
      },
    );
    await recordVmEvent(trx, context, vm, { type, state: 'Completed', level: 'ERROR', description: reason });
  });
}
