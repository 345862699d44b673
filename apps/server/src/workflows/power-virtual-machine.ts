import { ApiError } from '@millrace/api';
import { AgentCallError } from '../domain/failure-policy.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import type { Row } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { transitionVm } from '../store/vm-transitions.ts';
import { callHost } from './agent-call.ts';
import { chooseHostStep, prepareIsoSteps, startStep, type WorkflowDeps } from './host-steps.ts';
import { loadPlace, loadVm, loadVmSpec, rootVolumeOf } from './records.ts';
import { tryHosts } from './try-hosts.ts';
import { hostFailure, reconnectBoundMs, recordVmEvent, vmAnswer, vmAnswerWithPassword } from './vm-job.ts';

/** Starts an instance on a host that reaches its disk. */
export function startVirtualMachine(deps: WorkflowDeps): JobDefinition<'startVirtualMachine'> {
  return {
    async run(context) {
      const { vmId, hostId } = context.parameters;
      const record = await context.read((database) => loadVm(database, vmId));
      const { vm } = record;
      const volume = await context.read((database) => rootVolumeOf(database, vmId));
      if (volume?.state !== 'Ready' || volume.pool_id === null)
        throw new ApiError(
          'RESOURCE_UNAVAILABLE_ERROR',
          `instance ${vm.name} has no usable root disk; restoreVirtualMachine makes a new one`,
        );
      await begin(context, vm, 'VM.START', `Starting instance ${vm.name}`, 'start');
      try {
        await tryHosts({
          deps,
          context,
          record,
          template: record.template,
          only: { hostId, poolId: volume.pool_id },
          steps: (attempt) => [chooseHostStep(attempt), ...prepareIsoSteps(attempt), startStep(attempt)],
        });
      } catch (error) {
        if (error instanceof ApiError) await startFailed(context, vm, error.userText);
        throw error;
      }
      await complete(context, vm, 'VM.START', `Successfully started instance ${vm.name}`);
      return vmAnswerWithPassword(context, vmId);
    },
    async giveUp(context, reason) {
      const { vm } = await context.read((database) => loadVm(database, context.parameters.vmId));
      await startFailed(context, vm, reason);
    },
  };
}

async function startFailed(context: JobContext, vm: Row<'vm_instance'>, reason: string): Promise<void> {
  await context.write(async (trx) => {
    await transitionVm(trx, vm.id, 'start-failed', { host_id: null });
    await recordVmEvent(trx, context, vm, {
      type: 'VM.START',
      state: 'Completed',
      level: 'ERROR',
      description: `Failed to start instance ${vm.name}: ${reason}`,
    });
  });
}

/** Shuts a guest down, or cuts its power when that takes too long or is asked for. */
export function stopVirtualMachine(deps: WorkflowDeps): JobDefinition<'stopVirtualMachine'> {
  return {
    async run(context) {
      const { vmId, forced } = context.parameters;
      const { vm } = await context.read((database) => loadVm(database, vmId));
      await begin(context, vm, 'VM.STOP', `Stopping instance ${vm.name}`, 'stop');
      context.progress.report({ phase: 'stopping', percent: 10 });
      try {
        await stopOnHost(deps, context, vm, forced);
      } catch (error) {
        if (context.signal.aborted) throw error;
        const failure = hostFailure(`stopping instance ${vm.name}`, error);
        await stopFailed(context, vm, failure.userText, error);
        throw failure;
      }
      await complete(context, vm, 'VM.STOP', `Successfully stopped instance ${vm.name}`);
      return vmAnswer(context, vmId);
    },
    async giveUp(context, reason) {
      const { vm } = await context.read((database) => loadVm(database, context.parameters.vmId));
      await stopFailed(context, vm, reason, undefined);
    },
  };
}

/** Stops the domain and makes the instance Stopped. It keeps its disk, its addresses and its place in memory of where it ran. */
export async function stopOnHost(
  deps: WorkflowDeps,
  context: JobContext,
  vm: Row<'vm_instance'>,
  forced: boolean,
): Promise<void> {
  if (vm.host_id !== null) {
    const timeoutSeconds = await context.read((database) => readSetting(database, 'vm.stop.timeout'));
    const { state } = await callHost(deps.agents, {
      hostId: vm.host_id,
      method: 'vm.stop',
      params: { vm: { uuid: vm.uuid, instanceName: vm.instance_name }, forced, timeoutSeconds },
      operationId: `${context.job.uuid}/stop`,
      signal: context.signal,
      reconnectMs: await reconnectBoundMs(context),
      extraMs: timeoutSeconds * 1000,
    });
    if (state === 'Running')
      throw new ApiError('INTERNAL_ERROR', `instance ${vm.name} runs on: its host could not stop it`);
  }
  await context.write(async (trx) => {
    await transitionVm(trx, vm.id, 'stopped', {
      host_id: null,
      last_host_id: vm.host_id ?? vm.last_host_id,
      power_state: 'Stopped',
      power_state_update_time: new Date(),
    });
  });
}

async function stopFailed(
  context: JobContext,
  vm: Row<'vm_instance'>,
  reason: string,
  cause: unknown,
): Promise<void> {
  const away = cause instanceof AgentCallError && cause.code === 'AGENT_UNAVAILABLE';
  await context.write(async (trx) => {
    await transitionVm(trx, vm.id, away ? 'host-lost' : 'stop-failed');
    await recordVmEvent(trx, context, vm, {
      type: 'VM.STOP',
      state: 'Completed',
      level: 'ERROR',
      description: `Failed to stop instance ${vm.name}: ${reason}`,
    });
  });
}

/** Restarts a guest on the host it runs on. */
export function rebootVirtualMachine(deps: WorkflowDeps): JobDefinition<'rebootVirtualMachine'> {
  return {
    async run(context) {
      const { vmId, forced } = context.parameters;
      const record = await context.read((database) => loadVm(database, vmId));
      const { vm } = record;
      const hostId = vm.host_id;
      if (hostId === null)
        throw new ApiError('RESOURCE_UNAVAILABLE_ERROR', `instance ${vm.name} runs on no host`);
      await begin(context, vm, 'VM.REBOOT', `Rebooting instance ${vm.name}`, undefined);
      context.progress.report({ phase: 'rebooting', percent: 20 });
      try {
        await rebootOnHost(deps, context, record, hostId, forced);
      } catch (error) {
        if (context.signal.aborted) throw error;
        const failure = hostFailure(`rebooting instance ${vm.name}`, error);
        await context.write((trx) =>
          recordVmEvent(trx, context, vm, {
            type: 'VM.REBOOT',
            state: 'Completed',
            level: 'ERROR',
            description: failure.userText,
          }),
        );
        throw failure;
      }
      await complete(context, vm, 'VM.REBOOT', `Successfully rebooted instance ${vm.name}`);
      return vmAnswer(context, vmId);
    },
  };
}

async function rebootOnHost(
  deps: WorkflowDeps,
  context: JobContext,
  record: Awaited<ReturnType<typeof loadVm>>,
  hostId: number,
  forced: boolean,
): Promise<void> {
  const { vm } = record;
  const reconnectMs = await reconnectBoundMs(context);
  const timeoutSeconds = await context.read((database) => readSetting(database, 'vm.stop.timeout'));
  const call = { hostId, signal: context.signal, reconnectMs, extraMs: timeoutSeconds * 1000 };
  const { state } = await callHost(deps.agents, {
    ...call,
    method: 'vm.reboot',
    params: { vm: { uuid: vm.uuid, instanceName: vm.instance_name }, forced, timeoutSeconds },
    operationId: `${context.job.uuid}/reboot`,
  });
  if (state === 'Running') return;
  // the guest went down and did not come back by itself
  const volume = await context.read((database) => rootVolumeOf(database, vm.id));
  if (!volume?.path || volume.pool_id === null)
    throw new ApiError('RESOURCE_UNAVAILABLE_ERROR', `instance ${vm.name} has no usable root disk`);
  const { path, uuid, pool_id: poolId } = volume;
  const place = await context.read((database) => loadPlace(database, hostId, poolId));
  const spec = await context.read((database) => loadVmSpec(database, record, place.pool, { uuid, path }));
  await callHost(deps.agents, {
    ...call,
    method: 'vm.start',
    params: { vm: spec },
    operationId: `${context.job.uuid}/start-after-reboot`,
  });
}

type PowerEvent = 'VM.START' | 'VM.STOP' | 'VM.REBOOT';

async function begin(
  context: JobContext,
  vm: Row<'vm_instance'>,
  type: PowerEvent,
  description: string,
  transition: 'start' | 'stop' | undefined,
): Promise<void> {
  await context.write(async (trx) => {
    if (transition) {
      const { applied, state } = await transitionVm(trx, vm.id, transition);
      // after a takeover the deed may be done already: it is then found done, and only answered
      const done = transition === 'start' ? state === 'Running' : state === 'Stopped';
      if (!applied && !done) throw new ApiError('PARAM_ERROR', `instance ${vm.name} is ${state} meanwhile`);
    }
    await recordVmEvent(trx, context, vm, { type, state: 'Started', description });
  });
}

async function complete(
  context: JobContext,
  vm: Row<'vm_instance'>,
  type: PowerEvent,
  description: string,
): Promise<void> {
  await context.write((trx) => recordVmEvent(trx, context, vm, { type, state: 'Completed', description }));
}
