import { ApiError } from '@millrace/api';
import { MillraceError } from '@millrace/core';
import { z } from 'zod';
import { loadVolume } from '../commands/responses/volume.ts';
import { messageForUsers } from '../domain/host-failures.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import type { JobCommand } from '../jobs/queue.ts';
import { type Step, StepFailed } from '../jobs/steps.ts';
import { type EventType, recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { callHost } from './agent-call.ts';
import { discardVolume } from './discard-volume.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { dataDiskSpec, loadPlace, loadVm, type Place, rootVolumeOf } from './records.ts';
import { connectedHostOf } from './template-copies.ts';
import { reconnectBoundMs } from './vm-job.ts';

type DiskCommand = Extract<JobCommand, 'createVolume' | 'attachVolume' | 'detachVolume' | 'resizeVolume'>;

const diskState = z.object({
  hostId: z.number(),
  poolId: z.number(),
  position: z.number(),
  made: z.boolean(),
});
type DiskState = z.infer<typeof diskState>;

interface Work {
  readonly deps: WorkflowDeps;
  readonly context: JobContext<DiskCommand>;
  readonly volume: Row<'volumes'>;
  readonly vmId: number | undefined;
  readonly reconnectMs: number;
}

/** The row is written with the request: a disk that nothing uses takes no room. */
export function createVolume(deps: WorkflowDeps): JobDefinition<'createVolume'> {
  return {
    run: (context) =>
      inWords(deps, context, { type: 'VOLUME.CREATE', doing: 'creating', vmId: undefined }, () => []),
  };
}

/** Makes the disk on the pool of the instance's root disk, if it is nowhere yet, and plugs it in. */
export function attachVolume(deps: WorkflowDeps): JobDefinition<'attachVolume'> {
  return {
    run(context) {
      const { vmId, position } = context.parameters;
      return inWords(deps, context, { type: 'VOLUME.ATTACH', doing: 'attaching', vmId }, (work) => [
        placeStep(work),
        makeStep(work),
        plugStep(work, position),
        recordAttachedStep(work, position),
      ]);
    },
  };
}

/** Unplugs it; the instance keeps it when its guest does not let go. */
export function detachVolume(deps: WorkflowDeps): JobDefinition<'detachVolume'> {
  return {
    run: (context) =>
      inWords(
        deps,
        context,
        { type: 'VOLUME.DETACH', doing: 'detaching', vmId: context.parameters.vmId },
        (work) => [placeStep(work), unplugStep(work), recordDetachedStep(work)],
      ),
  };
}

/** Grows it where it is: in the instance that runs with it, or on its pool. */
export function resizeVolume(deps: WorkflowDeps): JobDefinition<'resizeVolume'> {
  return {
    run(context) {
      const { vmId, sizeBytes } = context.parameters;
      return inWords(deps, context, { type: 'VOLUME.RESIZE', doing: 'resizing', vmId }, (work) => [
        placeStep(work),
        resizeStep(work, sizeBytes),
      ]);
    },
  };
}

/** Runs the steps, with an event at either end, and answers with the volume. */
async function inWords<C extends DiskCommand>(
  deps: WorkflowDeps,
  context: JobContext<C>,
  what: { readonly type: EventType; readonly doing: string; readonly vmId: number | undefined },
  steps: (work: Work) => readonly Step<DiskState>[],
): Promise<object> {
  const { volumeId } = context.parameters;
  const volume = await context.read((database) =>
    database.selectFrom('volumes').selectAll().where('id', '=', volumeId).executeTakeFirstOrThrow(),
  );
  const event = (level: 'INFO' | 'ERROR', description: string) =>
    context.write(async (trx) => {
      await recordEvent(trx, {
        type: what.type,
        level,
        description,
        userId: context.job.userId,
        accountId: volume.account_id,
        resourceType: 'Volume',
        resourceUuid: volume.uuid,
        jobUuid: context.job.uuid,
      });
    });
  const work: Work = {
    deps,
    context,
    volume,
    vmId: what.vmId,
    reconnectMs: await reconnectBoundMs(context),
  };
  try {
    await deps.runSteps<DiskState>({
      context,
      prefix: 'disk/',
      steps: steps(work),
      initial: {},
      // optional in zod also means undefined, which JSON does not have
      decode: (value) => diskState.partial().parse(value) as Partial<DiskState>,
    });
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    const { failure } = error;
    const text = (message: string) => `${what.doing} volume ${volume.name} failed: ${message}`;
    const userText = text(messageForUsers(failure.code, failure.message));
    await event('ERROR', userText);
    if (error.cause instanceof ApiError) throw error.cause;
    throw new ApiError('INTERNAL_ERROR', text(failure.message), { userText });
  }
  await event('INFO', `Successful: ${what.doing} volume ${volume.name}`);
  return { volume: await context.read((database) => loadVolume(database, volumeId)) };
}

/** Where the disk is, or is to be: on the pool of the instance's root disk; and a host that can do something there. */
function placeStep({ deps, context, volume, vmId }: Work): Step<DiskState> {
  return {
    name: 'place',
    do: async () => {
      const vm =
        vmId === undefined ? undefined : (await context.read((database) => loadVm(database, vmId))).vm;
      const root =
        vmId === undefined ? undefined : await context.read((database) => rootVolumeOf(database, vmId));
      const poolId = volume.pool_id ?? root?.pool_id;
      // a disk that is nowhere, of an instance that never ran: the row is all there is
      if (poolId == null) return {};
      if (vm && root?.pool_id != null && root.pool_id !== poolId)
        throw new ApiError(
          'PARAM_ERROR',
          `volume ${volume.name} is on another storage pool than instance ${vm.name}: disks of one instance lie on one pool`,
        );
      const hostId =
        vm?.host_id ?? (await context.read((database) => connectedHostOf({ ...deps, database }, poolId)));
      if (hostId === undefined)
        throw new MillraceError('POOL_UNREACHABLE', 'no host that reaches the storage pool is connected');
      return { poolId, hostId };
    },
  };
}

function makeStep(work: Work): Step<DiskState> {
  const { deps, context, volume } = work;
  return {
    name: 'make',
    do: async (state) => {
      const place = await placeOf(work, state);
      if (!place || volume.path !== null) return { made: false };
      await makeDataDisk({ deps, context, volume, place, reconnectMs: work.reconnectMs });
      return { made: true };
    },
    undo: async () => {
      if (volume.path === null) await unmakeDataDisk({ deps, context, volumeId: volume.id });
    },
  };
}

/** Makes the file of a data disk that has none. */
export async function makeDataDisk(options: {
  readonly deps: WorkflowDeps;
  readonly context: JobContext;
  readonly volume: Row<'volumes'>;
  readonly place: Place;
  readonly reconnectMs: number;
}): Promise<void> {
  const { deps, context, volume, place } = options;
  const path = `${volume.uuid}.qcow2`;
  // first the row: a file that a crash leaves is known, and removed
  await context.write((trx) =>
    trx
      .updateTable('volumes')
      .set({ state: 'Creating', pool_id: place.poolId, path })
      .where('id', '=', volume.id)
      .execute(),
  );
  const created = await callHost(deps.agents, {
    hostId: place.hostId,
    method: 'volume.create',
    params: { pool: place.pool, path, sizeBytes: volume.size, replace: false },
    operationId: `${context.job.uuid}/make-disk-${volume.uuid}-${place.hostId}`,
    signal: context.signal,
    reconnectMs: options.reconnectMs,
  });
  await context.write((trx) =>
    trx
      .updateTable('volumes')
      .set({ state: 'Ready', size: created.virtualSizeBytes, physical_size: created.physicalSizeBytes })
      .where('id', '=', volume.id)
      .execute(),
  );
}

/** Takes the file away again: the disk is as it was, nowhere. */
export async function unmakeDataDisk(options: {
  readonly deps: WorkflowDeps;
  readonly context: JobContext;
  readonly volumeId: number;
}): Promise<void> {
  const { deps, context, volumeId } = options;
  const volume = await context.read((database) =>
    database.selectFrom('volumes').selectAll().where('id', '=', volumeId).executeTakeFirstOrThrow(),
  );
  if (volume.path === null || volume.pool_id === null) return;
  // what cannot be removed now is removed later: as a disk of its own that was given up
  const left = await context.write(async (trx) => {
    const { id: _, uuid: __, ...copy } = volume;
    const given = await trx
      .insertInto('volumes')
      .values({
        ...copy,
        uuid: crypto.randomUUID(),
        instance_id: null,
        removed: new Date(),
        state: 'Destroy',
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await trx
      .updateTable('volumes')
      .set({ state: 'Allocated', pool_id: null, path: null, physical_size: null })
      .where('id', '=', volumeId)
      .execute();
    return given;
  });
  await discardVolume({ context, agents: deps.agents, volume: left });
}

function plugStep(work: Work, position: number): Step<DiskState> {
  return {
    name: 'plug',
    do: async (state) => {
      await changePlug(work, state, { method: 'volume.attach', position, operation: 'plug' });
      return {};
    },
    undo: async (state) => {
      await changePlug(work, state, { method: 'volume.detach', position, operation: 'undo-plug' });
    },
  };
}

function unplugStep(work: Work): Step<DiskState> {
  return {
    name: 'unplug',
    do: async (state) => {
      const position = work.volume.device_id;
      await changePlug(work, state, { method: 'volume.detach', position, operation: 'unplug' });
      return {};
    },
  };
}

async function changePlug(
  work: Work,
  state: Partial<DiskState>,
  change: {
    readonly method: 'volume.attach' | 'volume.detach';
    readonly position: number;
    readonly operation: string;
  },
): Promise<void> {
  const { deps, context, volume, vmId } = work;
  const place = await placeOf(work, state);
  if (!place || vmId === undefined) return;
  const { vm } = await context.read((database) => loadVm(database, vmId));
  if (vm.state !== 'Running') return;
  const disk = dataDiskSpec({ uuid: volume.uuid, path: `${volume.uuid}.qcow2`, device_id: change.position });
  await callHost(deps.agents, {
    hostId: place.hostId,
    method: change.method,
    params: { vm: { uuid: vm.uuid, instanceName: vm.instance_name }, pool: place.pool, disk },
    operationId: `${context.job.uuid}/${change.operation}`,
    signal: context.signal,
    reconnectMs: work.reconnectMs,
  });
}

function recordAttachedStep({ context, volume, vmId }: Work, position: number): Step<DiskState> {
  return {
    name: 'record',
    do: async () => {
      await context.write((trx) =>
        trx
          .updateTable('volumes')
          .set({ instance_id: vmId!, device_id: position, attached: new Date() })
          .where('id', '=', volume.id)
          .execute(),
      );
      return { position };
    },
  };
}

function recordDetachedStep({ context, volume }: Work): Step<DiskState> {
  return {
    name: 'record',
    do: async () => {
      await context.write((trx) =>
        trx
          .updateTable('volumes')
          .set({ instance_id: null, device_id: 0, attached: null })
          .where('id', '=', volume.id)
          .execute(),
      );
      return {};
    },
  };
}

function resizeStep(work: Work, sizeBytes: number): Step<DiskState> {
  const { deps, context, volume, vmId } = work;
  return {
    name: 'resize',
    do: async (state) => {
      const place = await placeOf(work, state);
      let size = sizeBytes;
      if (place && volume.path !== null) {
        const vm =
          vmId === undefined ? undefined : (await context.read((database) => loadVm(database, vmId))).vm;
        const resized = await callHost(deps.agents, {
          hostId: place.hostId,
          method: 'volume.resize',
          params: {
            ...(vm?.state === 'Running' ? { vm: { uuid: vm.uuid, instanceName: vm.instance_name } } : {}),
            pool: place.pool,
            path: volume.path,
            sizeBytes,
          },
          operationId: `${context.job.uuid}/resize`,
          signal: context.signal,
          reconnectMs: work.reconnectMs,
        });
        size = resized.virtualSizeBytes;
      }
      await context.write((trx) =>
        trx.updateTable('volumes').set({ size }).where('id', '=', volume.id).execute(),
      );
      return {};
    },
  };
}

async function placeOf(
  { context }: Work,
  { hostId, poolId }: Partial<DiskState>,
): Promise<Place | undefined> {
  if (hostId === undefined || poolId === undefined) return undefined;
  return context.read((database) => loadPlace(database, hostId, poolId));
}
