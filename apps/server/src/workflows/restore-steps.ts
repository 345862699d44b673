import { randomUUID } from 'node:crypto';
import { ApiError } from '@millrace/api';
import { z } from 'zod';
import type { JobContext } from '../jobs/job-context.ts';
import type { Step } from '../jobs/steps.ts';
import { beginAttempt } from '../store/deployment-attempts.ts';
import { renewPassword } from '../store/guest-password.ts';
import type { Row } from '../store/schema.ts';
import { isImageOf } from '../store/template-images.ts';
import { holdCopy } from '../store/template-spool.ts';
import { transitionVm } from '../store/vm-transitions.ts';
import { callHost } from './agent-call.ts';
import type { AttemptProgress } from './attempt-progress.ts';
import { discardVolume, undoReconnectMs } from './discard-volume.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { stopOnHost } from './power-virtual-machine.ts';
import {
  backingOf,
  diskTemplateId,
  loadPlace,
  loadVm,
  loadVmSpec,
  rootVolumeOf,
  type VmRecord,
} from './records.ts';
import { ensureTemplateOnPool } from './template-on-pool.ts';
import { hostFailure, recordVmEvent } from './vm-job.ts';

type Context = JobContext<'restoreVirtualMachine'>;

const restoreState = z.object({
  wasRunning: z.boolean(),
  hostId: z.number(),
  poolId: z.number(),
  oldVolumeId: z.number(),
  sizeBytes: z.number(),
  installPath: z.string(),
  newVolumeId: z.number(),
});
export type RestoreState = z.infer<typeof restoreState>;

/** A restore under way. */
export interface Restore {
  readonly deps: WorkflowDeps;
  readonly context: Context;
  readonly record: VmRecord;
  readonly template: Row<'vm_template'>;
  readonly progress: AttemptProgress;
  readonly reconnectMs: number;
}

export function decodeRestoreState(value: unknown): Partial<RestoreState> {
  // optional in zod also means undefined, which JSON does not have
  return restoreState.partial().parse(value) as Partial<RestoreState>;
}

/** Fetch, make the new disk, stop, swap, start: until the swap the instance keeps its old disk, and runs while it can. */
export function restoreSteps(restore: Restore): readonly Step<RestoreState>[] {
  return [
    planStep(restore),
    templateStep(restore),
    newVolumeStep(restore),
    stopStep(restore),
    swapStep(restore),
    startAgainStep(restore),
    discardOldStep(restore),
  ];
}

/** What is true before anything is touched: a later worker must not take our own doing for it. */
function planStep({ context, record, template, progress }: Restore): Step<RestoreState> {
  const { vm } = record;
  return {
    name: 'plan',
    do: async () => {
      const old = await context.read((database) => rootVolumeOf(database, vm.id));
      if (old?.pool_id == null)
        throw new ApiError('RESOURCE_UNAVAILABLE_ERROR', `instance ${vm.name} has no root disk to replace`);
      const poolId = old.pool_id;
      const hostId = vm.host_id ?? vm.last_host_id;
      if (hostId === null)
        throw new ApiError('RESOURCE_UNAVAILABLE_ERROR', `no host has the disk of instance ${vm.name}`);
      // an empty disk is as large as the one before it, whatever is installed on it
      const sameSize =
        diskTemplateId(template) === null ||
        (await context.read((database) => isImageOf(database, old.template_id, template.id)));
      const place = await context.read((database) => loadPlace(database, hostId, poolId));
      await context.write(async (trx) => {
        await beginAttempt(trx, { jobId: context.job.id, ordinal: 1 }, { vmId: vm.id, hostId, poolId });
        await recordVmEvent(trx, context, vm, {
          type: 'VM.RESTORE',
          state: 'Started',
          description: `Starting to restore instance ${vm.name} from template ${template.name}`,
        });
      });
      progress.at(place.hostName, place.poolName);
      progress.phase('host-chosen');
      return {
        wasRunning: vm.state === 'Running',
        hostId,
        poolId,
        oldVolumeId: old.id,
        // a disk that was grown stays as large, also when the template has a larger image by now
        sizeBytes:
          context.parameters.rootDiskSizeBytes ?? (sameSize ? Math.max(old.size, template.size ?? 0) : 0),
      };
    },
  };
}

function templateStep(restore: Restore): Step<RestoreState> {
  const { context, deps, template, progress } = restore;
  return {
    name: 'prepare-template',
    do: async ({ hostId, poolId }) => {
      const place = await context.read((database) => loadPlace(database, hostId, poolId));
      progress.at(place.hostName, place.poolName);
      const ready = await ensureTemplateOnPool({
        context,
        agents: deps.agents,
        place,
        template,
        step: 'restore/prepare-template',
        reconnectMs: restore.reconnectMs,
        onTransfer: (view) => progress.transfer(view),
      });
      progress.sources(ready.attempts);
      return { installPath: ready.installPath };
    },
  };
}

function stopStep({ context, deps, record, progress }: Restore): Step<RestoreState> {
  return {
    name: 'stop',
    do: async ({ wasRunning }) => {
      if (!wasRunning) return {};
      progress.phase('stopping');
      const { vm } = await context.read((database) => loadVm(database, record.vm.id));
      if (vm.state === 'Stopped') return {};
      await context.write((trx) => transitionVm(trx, vm.id, 'stop'));
      try {
        // what the guest would save on its way down is about to be given up
        await stopOnHost(deps, context, vm, true);
      } catch (error) {
        if (!context.signal.aborted) await context.write((trx) => transitionVm(trx, vm.id, 'stop-failed'));
        throw context.signal.aborted ? error : hostFailure(`stopping instance ${vm.name}`, error);
      }
      return {};
    },
  };
}

function newVolumeStep({
  context,
  deps,
  record,
  template,
  progress,
  reconnectMs,
}: Restore): Step<RestoreState> {
  const { vm } = record;
  // deterministic, so that the next worker finds the row that this one wrote
  const name = `ROOT-${vm.id}-${context.job.uuid}`;
  const find = () =>
    context.read((database) =>
      database.selectFrom('volumes').selectAll().where('name', '=', name).executeTakeFirst(),
    );
  return {
    name: 'create-volume',
    do: async ({ hostId, poolId, sizeBytes, installPath }) => {
      progress.phase('creating-volume');
      const backing = backingOf(template, installPath);
      if (!(await find())) await context.write((trx) => insertNewVolume(trx, { vm, template, poolId, name }));
      const volume = (await find())!;
      const place = await context.read((database) => loadPlace(database, hostId, poolId));
      const created = await callHost(deps.agents, {
        hostId,
        method: 'volume.create',
        params: {
          pool: place.pool,
          path: volume.path!,
          ...(backing ? { backing } : {}),
          ...(sizeBytes > 0 ? { sizeBytes } : {}),
          replace: true,
        },
        operationId: `${context.job.uuid}/restore/create-volume`,
        signal: context.signal,
        reconnectMs,
      });
      await context.write(async (trx) => {
        await trx
          .updateTable('volumes')
          .set({ size: created.virtualSizeBytes, physical_size: created.physicalSizeBytes })
          .where('id', '=', volume.id)
          .execute();
      });
      return { newVolumeId: volume.id };
    },
    undo: async () => {
      const volume = await find();
      // once it is the instance's disk there is no way back to the old one
      if (volume && volume.instance_id === null)
        await discardVolume({ context, agents: deps.agents, volume });
    },
  };
}

async function insertNewVolume(
  trx: Parameters<Parameters<JobContext['write']>[0]>[0],
  options: {
    readonly vm: Row<'vm_instance'>;
    readonly template: Row<'vm_template'>;
    readonly poolId: number;
    readonly name: string;
  },
): Promise<void> {
  await holdCopy(trx, { poolId: options.poolId, templateId: options.template.id });
  const uuid = randomUUID();
  await trx
    .insertInto('volumes')
    .values({
      uuid,
      name: options.name,
      state: 'Creating',
      path: `${uuid}.qcow2`,
      template_id: diskTemplateId(options.template),
      pool_id: options.poolId,
      data_center_id: options.vm.data_center_id,
      account_id: options.vm.account_id,
    })
    .execute();
}

/** In one transaction the new disk becomes the instance's, and the old one nobody's. */
function swapStep({ context, record, template }: Restore): Step<RestoreState> {
  const { vm } = record;
  return {
    name: 'swap',
    do: async ({ oldVolumeId, newVolumeId }) => {
      await context.write(async (trx) => {
        await trx
          .updateTable('volumes')
          .set({ state: 'Destroy', removed: new Date() })
          .where('id', '=', oldVolumeId)
          .where('removed', 'is', null)
          .execute();
        await trx
          .updateTable('volumes')
          .set({ state: 'Ready', instance_id: vm.id, name: `ROOT-${vm.id}`, attached: new Date() })
          .where('id', '=', newVolumeId)
          .where('instance_id', 'is', null)
          .execute();
        await trx
          .updateTable('vm_instance')
          .set({
            vm_template_id: template.id,
            guest_os_id: template.guest_os_id,
            ...(diskTemplateId(template) === null ? { iso_id: template.id } : {}),
          })
          .where('id', '=', vm.id)
          .execute();
        // the old one was on the old disk
        await renewPassword(trx, vm.id, template);
      });
      return {};
    },
  };
}

function startAgainStep({ context, deps, record, progress, reconnectMs }: Restore): Step<RestoreState> {
  const { vm } = record;
  return {
    name: 'start',
    do: async ({ wasRunning, hostId, poolId, newVolumeId }) => {
      if (!wasRunning) return {};
      progress.phase('starting');
      const place = await context.read((database) => loadPlace(database, hostId, poolId));
      const spec = await context.read(async (database) => {
        const volume = await database
          .selectFrom('volumes')
          .selectAll()
          .where('id', '=', newVolumeId)
          .executeTakeFirstOrThrow();
        return loadVmSpec(database, record, place.pool, { uuid: volume.uuid, path: volume.path! });
      });
      await context.write((trx) => transitionVm(trx, vm.id, 'start', { host_id: hostId }));
      await callHost(deps.agents, {
        hostId,
        method: 'vm.start',
        params: { vm: spec },
        operationId: `${context.job.uuid}/restore/start`,
        signal: context.signal,
        reconnectMs,
      });
      await context.write(async (trx) => {
        await transitionVm(trx, vm.id, 'started', {
          host_id: hostId,
          last_host_id: hostId,
          power_state: 'Running',
          power_state_update_time: new Date(),
        });
      });
      progress.phase('running');
      return {};
    },
    undo: async ({ wasRunning, hostId }) => {
      if (!wasRunning || hostId === undefined) return;
      await context.write(async (trx) => {
        const { applied } = await transitionVm(trx, vm.id, 'start-failed');
        if (applied)
          await trx.updateTable('vm_instance').set({ host_id: null }).where('id', '=', vm.id).execute();
      });
      await callHost(deps.agents, {
        hostId,
        method: 'vm.remove',
        params: { vm: { uuid: vm.uuid, instanceName: vm.instance_name } },
        operationId: `${context.job.uuid}/restore/undo-start`,
        signal: context.signal,
        reconnectMs: undoReconnectMs,
      });
    },
  };
}

function discardOldStep({ context, deps }: Restore): Step<RestoreState> {
  return {
    name: 'discard-old-volume',
    do: async ({ oldVolumeId }) => {
      const volume = await context.read((database) =>
        database.selectFrom('volumes').selectAll().where('id', '=', oldVolumeId).executeTakeFirstOrThrow(),
      );
      if (volume.state !== 'Expunged') await discardVolume({ context, agents: deps.agents, volume });
      return {};
    },
  };
}
