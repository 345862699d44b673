import { randomUUID } from 'node:crypto';
import { describeError, MillraceError } from '@millrace/core';
import { z } from 'zod';
import type { AgentGateway } from '../agents/gateway.ts';
import { AgentCallError } from '../domain/failure-policy.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { RunSteps, Step } from '../jobs/steps.ts';
import { dataVolumesOf } from '../store/data-volumes.ts';
import type { Executor } from '../store/database.ts';
import { beginAttempt } from '../store/deployment-attempts.ts';
import type { Row } from '../store/schema.ts';
import { holdCopy } from '../store/template-spool.ts';
import { transitionVm } from '../store/vm-transitions.ts';
import { callHost } from './agent-call.ts';
import type { AttemptProgress } from './attempt-progress.ts';
import { chooseHost } from './choose-host-step.ts';
import { makeDataDisk, unmakeDataDisk } from './data-disks.ts';
import { discardVolume, undoReconnectMs } from './discard-volume.ts';
import {
  backingOf,
  diskTemplateId,
  loadPlace,
  loadVm,
  loadVmSpec,
  type Place,
  rootVolumeOf,
  type VmRecord,
} from './records.ts';
import { ensureTemplateOnPool } from './template-on-pool.ts';

/** What every workflow on instances may use. */
export interface WorkflowDeps {
  readonly agents: AgentGateway;
  readonly runSteps: RunSteps;
}

/** What is known of one attempt at one host. Kept, so it holds no secret and nothing that changes. */
const hostState = z.object({
  hostId: z.number(),
  poolId: z.number(),
  installPath: z.string(),
  volumeId: z.number(),
  started: z.boolean(),
});
export type HostState = z.infer<typeof hostState>;

export function decodeHostState(value: unknown): Partial<HostState> {
  // optional in zod also means undefined, which JSON does not have
  return hostState.partial().parse(value) as Partial<HostState>;
}

/** An attempt of a job to bring an instance up at one host. */
export interface Attempt {
  readonly deps: WorkflowDeps;
  readonly context: JobContext;
  readonly record: VmRecord;
  /** What the root disk is made from: the instance's template, or the one it is restored to. */
  readonly template: Row<'vm_template'>;
  readonly ordinal: number;
  readonly progress: AttemptProgress;
  readonly reconnectMs: number;
  readonly only: { readonly hostId?: number | undefined; readonly poolId?: number | undefined };
  readonly rootDiskSizeBytes: number | undefined;
}

/** Chooses a host that this job has not tried, and reserves room on it for the instance. */
export function chooseHostStep(attempt: Attempt): Step<HostState> {
  const { context, record } = attempt;
  return {
    name: 'choose-host',
    do: async () => {
      const choice = await chooseHost(attempt);
      await context.write(async (trx) => {
        await beginAttempt(
          trx,
          { jobId: context.job.id, ordinal: attempt.ordinal },
          { vmId: record.vm.id, hostId: choice.hostId, poolId: choice.poolId },
        );
        // from now on the pool's copy of the template is needed: see markForRemoval
        await trx
          .updateTable('volumes')
          .set({ pool_id: choice.poolId, template_id: diskTemplateId(attempt.template) })
          .where('instance_id', '=', record.vm.id)
          .where('state', '=', 'Allocated')
          .where('removed', 'is', null)
          .execute();
      });
      attempt.progress.at(choice.host, choice.pool);
      attempt.progress.phase('host-chosen');
      return { hostId: choice.hostId, poolId: choice.poolId };
    },
    undo: async ({ hostId }) => {
      if (hostId === undefined) return;
      await context.write(async (trx) => {
        await trx
          .updateTable('vm_instance')
          .set({ host_id: null })
          .where('id', '=', record.vm.id)
          .where('host_id', '=', hostId)
          .where('state', 'in', ['Starting', 'Stopped'])
          .execute();
        await trx
          .updateTable('volumes')
          .set({ pool_id: null })
          .where('instance_id', '=', record.vm.id)
          .where('state', '=', 'Allocated')
          .execute();
      });
    },
  };
}

export function prepareTemplateStep(attempt: Attempt): Step<HostState> {
  return prepareImageStep(attempt, attempt.template, 'prepare-template');
}

/** Sees to the ISO that an instance has in its drive: without the file its domain cannot start. */
export function prepareIsoSteps(attempt: Attempt): readonly Step<HostState>[] {
  const { iso } = attempt.record;
  return iso ? [prepareImageStep(attempt, iso, 'prepare-iso')] : [];
}

function prepareImageStep(attempt: Attempt, template: Row<'vm_template'>, name: string): Step<HostState> {
  const { context, deps } = attempt;
  return {
    name,
    do: async (state) => {
      const ready = await ensureTemplateOnPool({
        context,
        agents: deps.agents,
        place: await placeOf(attempt, state),
        template,
        step: `host-${attempt.ordinal}/${name}`,
        reconnectMs: attempt.reconnectMs,
        onTransfer: (view) => attempt.progress.transfer(view),
      });
      attempt.progress.sources(ready.attempts);
      if (!ready.reused) attempt.progress.phase('committed');
      return { installPath: ready.installPath };
    },
  };
}

export function createRootVolumeStep(attempt: Attempt): Step<HostState> {
  const { context, deps, record, template } = attempt;
  return {
    name: 'create-root-volume',
    do: async (state) => {
      attempt.progress.phase('creating-volume');
      const place = await placeOf(attempt, state);
      const volume = await context.write((trx) => beginRootVolume(trx, attempt, state.poolId));
      const path = volume.path ?? `${volume.uuid}.qcow2`;
      const backing = backingOf(template, state.installPath);
      const created = await callHost(deps.agents, {
        hostId: place.hostId,
        method: 'volume.create',
        params: {
          pool: place.pool,
          path,
          ...(backing ? { backing } : {}),
          ...(attempt.rootDiskSizeBytes === undefined ? {} : { sizeBytes: attempt.rootDiskSizeBytes }),
          replace: false,
        },
        operationId: `${context.job.uuid}/host-${attempt.ordinal}/create-root-volume`,
        signal: context.signal,
        reconnectMs: attempt.reconnectMs,
      });
      await context.write(async (trx) => {
        await trx
          .updateTable('volumes')
          .set({
            state: 'Ready',
            size: created.virtualSizeBytes,
            physical_size: created.physicalSizeBytes,
            attached: new Date(),
          })
          .where('id', '=', volume.id)
          .execute();
      });
      return { volumeId: volume.id };
    },
    undo: async () => {
      if (await isUnknown(attempt)) return;
      const volume = await context.read((database) => rootVolumeOf(database, record.vm.id));
      if (volume) await discardVolume({ context, agents: deps.agents, volume });
    },
  };
}

/** Makes the data disks that the instance was asked for with, beside its root disk. */
export function createDataDisksStep(attempt: Attempt): Step<HostState> {
  const { context, deps, record, reconnectMs } = attempt;
  const disks = () => context.read((database) => dataVolumesOf(database, record.vm.id));
  return {
    name: 'create-data-disks',
    do: async (state) => {
      for (const volume of await disks()) {
        if (volume.state === 'Ready') continue;
        const place = await placeOf(attempt, state);
        await makeDataDisk({ deps, context, volume, place, reconnectMs });
      }
      return {};
    },
    undo: async () => {
      if (await isUnknown(attempt)) return;
      for (const { id: volumeId } of await disks()) await unmakeDataDisk({ deps, context, volumeId });
    },
  };
}

export function startStep(attempt: Attempt): Step<HostState> {
  const { context, deps, record } = attempt;
  return {
    name: 'start',
    do: async (state) => {
      attempt.progress.phase('starting');
      const place = await placeOf(attempt, state);
      const spec = await context.read(async (database) =>
        loadVmSpec(database, record, place.pool, await runnableVolume(database, record.vm.id)),
      );
      const ha = { ha_lease_seconds: spec.ha?.leaseSeconds ?? null };
      try {
        await callHost(deps.agents, {
          hostId: place.hostId,
          method: 'vm.start',
          params: { vm: spec },
          operationId: `${context.job.uuid}/host-${attempt.ordinal}/start`,
          signal: context.signal,
          reconnectMs: attempt.reconnectMs,
        });
      } catch (error) {
        if (!mayRunAllTheSame(error) || place.pool.type === 'Filesystem' || context.signal.aborted)
          throw error;
        await context.write((trx) =>
          transitionVm(trx, record.vm.id, 'host-lost', { host_id: place.hostId, ...ha }),
        );
        throw new MillraceError(
          'START_UNCERTAIN',
          `${place.hostName} went away while it started the instance (${error.message}): whether it runs there is known when the host is back, or certainly gone`,
          { cause: error },
        );
      }
      await context.write(async (trx) => {
        const { applied, state: now } = await transitionVm(trx, record.vm.id, 'started', {
          host_id: place.hostId,
          last_host_id: place.hostId,
          pod_id: place.podId,
          error_text: null,
          ...ha,
          power_state: 'Running',
          power_state_update_time: new Date(),
        });
        if (!applied) throw new MillraceError('VM_STATE_CHANGED', `the instance is ${now} meanwhile`);
      });
      await forgetWhereItRan(attempt, place.hostId);
      attempt.progress.phase('running');
      return { started: true };
    },
    undo: async (state) => {
      if (state.hostId === undefined || state.poolId === undefined) return;
      await callHost(deps.agents, {
        hostId: state.hostId,
        method: 'vm.remove',
        params: { vm: { uuid: record.vm.uuid, instanceName: record.vm.instance_name } },
        operationId: `${context.job.uuid}/host-${attempt.ordinal}/undo-start`,
        signal: context.signal,
        reconnectMs: undoReconnectMs,
      });
    },
  };
}

/**
 * An instance that starts on another host than before leaves nothing where it was: its definition could be started there
 * behind our back. A host that is away is told when it says hello.
 */
async function forgetWhereItRan({ context, deps, record, ordinal }: Attempt, hostId: number): Promise<void> {
  const before = record.vm.last_host_id;
  if (before === null || before === hostId) return;
  try {
    await callHost(deps.agents, {
      hostId: before,
      method: 'vm.remove',
      params: { vm: { uuid: record.vm.uuid, instanceName: record.vm.instance_name } },
      operationId: `${context.job.uuid}/host-${ordinal}/forget-on-${before}`,
      signal: context.signal,
      reconnectMs: 0,
    });
  } catch (error) {
    context.signal.throwIfAborted();
    context.log.warn(
      { vm: record.vm.uuid, host: before, error: describeError(error) },
      'the host where the instance was before keeps its definition for now',
    );
  }
}

/** The host was asked, and no answer came. */
function mayRunAllTheSame(error: unknown): error is AgentCallError {
  return error instanceof AgentCallError && ['AGENT_UNAVAILABLE', 'AGENT_TIMEOUT'].includes(error.code);
}

/** It may run on a host that went away: its disks stay. */
async function isUnknown({ context, record }: Attempt): Promise<boolean> {
  const { vm } = await context.read((database) => loadVm(database, record.vm.id));
  return vm.state === 'Unknown';
}

async function placeOf(attempt: Attempt, state: Partial<HostState>): Promise<Place> {
  const { hostId, poolId } = state;
  if (hostId === undefined || poolId === undefined) throw new Error('no host has been chosen');
  const place = await attempt.context.read((database) => loadPlace(database, hostId, poolId));
  attempt.progress.at(place.hostName, place.poolName);
  return place;
}

/** The row of the root disk for this pool: the one that the request made, or a new one after a host was given up. */
async function beginRootVolume(
  trx: Executor,
  attempt: Attempt,
  poolId: number,
): Promise<{ id: number; uuid: string; path: string | null }> {
  const { vm } = attempt.record;
  await holdCopy(trx, { poolId, templateId: attempt.template.id });
  const known = await rootVolumeOf(trx, vm.id);
  if (known && (known.pool_id === null || known.pool_id === poolId)) {
    const path = known.path ?? `${known.uuid}.qcow2`;
    await trx
      .updateTable('volumes')
      .set({ state: 'Creating', pool_id: poolId, path, template_id: diskTemplateId(attempt.template) })
      .where('id', '=', known.id)
      .execute();
    return { id: known.id, uuid: known.uuid, path };
  }
  if (known)
    await trx
      .updateTable('volumes')
      .set({ state: 'Destroy', removed: new Date() })
      .where('id', '=', known.id)
      .execute();
  const uuid = randomUUID();
  const path = `${uuid}.qcow2`;
  const { id } = await trx
    .insertInto('volumes')
    .values({
      uuid,
      name: `ROOT-${vm.id}`,
      state: 'Creating',
      size: attempt.rootDiskSizeBytes ?? attempt.template.size ?? 0,
      path,
      instance_id: vm.id,
      template_id: diskTemplateId(attempt.template),
      pool_id: poolId,
      data_center_id: vm.data_center_id,
      account_id: vm.account_id,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { id, uuid, path };
}

/** The disk that an instance starts from. */
async function runnableVolume(executor: Executor, vmId: number): Promise<{ uuid: string; path: string }> {
  const volume = await rootVolumeOf(executor, vmId);
  if (volume?.state !== 'Ready' || volume.path === null)
    throw new MillraceError(
      'VOLUME_MISSING',
      'the instance has no usable root disk: restore it from its template',
    );
  return { uuid: volume.uuid, path: volume.path };
}
