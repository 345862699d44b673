import { ApiError } from '@millrace/api';
import { AgentCallError } from '../domain/failure-policy.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import type { Row } from '../store/schema.ts';
import { transitionVm } from '../store/vm-transitions.ts';
import { discardVolume } from './discard-volume.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { loadVm } from './records.ts';
import { hostFailure, recordVmEvent, removeDomain, vmAnswer } from './vm-job.ts';

/** Takes an instance out of service. It keeps its disk until it is expunged, by request or after `expunge.delay`. */
export function destroyVirtualMachine(deps: WorkflowDeps): JobDefinition<'destroyVirtualMachine'> {
  return {
    async run(context) {
      const { vmId, expunge } = context.parameters;
      const { vm } = await context.read((database) => loadVm(database, vmId));
      context.progress.report({ phase: 'destroying', percent: 10 });
      if (vm.state !== 'Expunging' && vm.state !== 'Expunged')
        await answeringFor(context, vm, 'destroying', async () => {
          await removeDomain(deps, context, vm);
          await context.write(async (trx) => {
            const { applied, state } = await transitionVm(trx, vm.id, 'destroy', {
              host_id: null,
              last_host_id: vm.host_id ?? vm.last_host_id,
            });
            if (!applied) throw new ApiError('PARAM_ERROR', `instance ${vm.name} is ${state} meanwhile`);
            await recordVmEvent(trx, context, vm, {
              type: 'VM.DESTROY',
              state: 'Completed',
              description: `Successfully destroyed instance ${vm.name}`,
            });
          });
        });
      if (!expunge) return vmAnswer(context, vmId);
      return answeringFor(context, vm, 'expunging', () => expungeVm(deps, context, vmId));
    },
  };
}

/** Removes an instance for good: domain, disk, addresses. */
export function expungeVirtualMachine(deps: WorkflowDeps): JobDefinition<'expungeVirtualMachine'> {
  return {
    async run(context) {
      const { vm } = await context.read((database) => loadVm(database, context.parameters.vmId));
      await answeringFor(context, vm, 'expunging', () => expungeVm(deps, context, vm.id));
      return { success: true };
    },
  };
}

/** @returns the instance as it was last seen: Expunging */
async function expungeVm(deps: WorkflowDeps, context: JobContext, vmId: number): Promise<object> {
  context.progress.report({ phase: 'expunging', percent: 50 });
  await context.write(async (trx) => {
    const { applied, state } = await transitionVm(trx, vmId, 'expunge');
    if (!applied && state !== 'Expunged')
      throw new ApiError('PARAM_ERROR', `the instance is ${state} meanwhile`);
  });
  const answer = await vmAnswer(context, vmId);
  const { vm } = await context.read((database) => loadVm(database, vmId));
  await removeDomain(deps, context, vm);
  // data disks outlive their instance
  await context.write(async (trx) => {
    await trx
      .updateTable('volumes')
      .set({ instance_id: null, device_id: 0, attached: null })
      .where('instance_id', '=', vmId)
      .where('volume_type', '=', 'DATADISK')
      .where('removed', 'is', null)
      .execute();
  });
  const volumes = await context.read((database) =>
    database
      .selectFrom('volumes')
      .selectAll()
      .where('instance_id', '=', vmId)
      .where('state', '!=', 'Expunged')
      .execute(),
  );
  for (const volume of volumes) await discardVolume({ context, agents: deps.agents, volume });
  await context.write(async (trx) => {
    await trx
      .updateTable('nics')
      .set({ removed: new Date() })
      .where('instance_id', '=', vmId)
      .where('removed', 'is', null)
      .execute();
    await transitionVm(trx, vmId, 'expunged', {
      removed: vm.removed ?? new Date(),
      host_id: null,
      user_data: null,
      user_data_details: null,
      new_password: null,
      encrypted_password: null,
    });
    await recordVmEvent(trx, context, vm, {
      type: 'VM.EXPUNGE',
      state: 'Completed',
      description: `Successfully expunged instance ${vm.name}`,
    });
  });
  return answer;
}

/** Puts a host's failure into the words of the job's answer, and into an event. */
async function answeringFor<T>(
  context: JobContext,
  vm: Row<'vm_instance'>,
  doing: 'destroying' | 'expunging',
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (context.signal.aborted || !(error instanceof AgentCallError)) throw error;
    const failure = hostFailure(`${doing} instance ${vm.name}`, error);
    await context.write((trx) =>
      recordVmEvent(trx, context, vm, {
        type: doing === 'destroying' ? 'VM.DESTROY' : 'VM.EXPUNGE',
        state: 'Completed',
        level: 'ERROR',
        description: failure.userText,
      }),
    );
    throw failure;
  }
}
