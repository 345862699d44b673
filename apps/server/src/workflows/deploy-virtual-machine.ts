import { ApiError } from '@millrace/api';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import { transitionVm } from '../store/vm-transitions.ts';
import { discardVolume } from './discard-volume.ts';
import {
  chooseHostStep,
  createDataDisksStep,
  createRootVolumeStep,
  prepareTemplateStep,
  startStep,
  type WorkflowDeps,
} from './host-steps.ts';
import { loadVm, rootVolumeOf } from './records.ts';
import { shortened, tryHosts } from './try-hosts.ts';
import { recordVmEvent, vmAnswerWithPassword } from './vm-job.ts';

type Context = JobContext<'deployVirtualMachine'>;

/**
 * Brings a new instance up: at each suitable host in turn, the template is put on a pool, a root disk made on it, and
 * the domain started. When no host can, the instance is in Error and everything it held is released.
 */
export function deployVirtualMachine(deps: WorkflowDeps): JobDefinition<'deployVirtualMachine'> {
  return {
    async run(context) {
      const { vmId, startVm, hostId, rootDiskSizeBytes } = context.parameters;
      const record = await context.read((database) => loadVm(database, vmId));
      const { vm } = record;
      await context.write((trx) =>
        recordVmEvent(trx, context, vm, {
          type: 'VM.CREATE',
          state: 'Started',
          description: `Starting to deploy instance ${vm.name}`,
        }),
      );
      try {
        const { hostId: chosenId } = await tryHosts({
          deps,
          context,
          record,
          template: record.template,
          only: { hostId },
          rootDiskSizeBytes,
          steps: (attempt) => [
            chooseHostStep(attempt),
            prepareTemplateStep(attempt),
            createRootVolumeStep(attempt),
            createDataDisksStep(attempt),
            ...(startVm ? [startStep(attempt)] : []),
          ],
        });
        await context.write(async (trx) => {
          if (!startVm)
            await transitionVm(trx, vmId, 'deployed-stopped', {
              host_id: null,
              last_host_id: chosenId ?? null,
            });
          await recordVmEvent(trx, context, vm, {
            type: 'VM.CREATE',
            state: 'Completed',
            description: `Successfully deployed instance ${vm.name}`,
          });
        });
      } catch (error) {
        if (error instanceof ApiError) await failDeployment(deps, context, error.userText);
        throw error;
      }
      return vmAnswerWithPassword(context, vmId);
    },
    giveUp: (context, reason) => failDeployment(deps, context, reason),
  };
}

async function failDeployment(deps: WorkflowDeps, context: Context, reason: string): Promise<void> {
  const { vm } = await context.read((database) => loadVm(database, context.parameters.vmId));
  const failed = await context.write(async (trx) => {
    const { applied } = await transitionVm(trx, vm.id, 'deploy-failed', {
      error_text: shortened(reason),
      host_id: null,
      last_host_id: null,
      new_password: null,
      encrypted_password: null,
    });
    // it runs, or somebody destroyed it: what it holds is in use, or released elsewhere
    if (!applied) return false;
    await trx
      .updateTable('nics')
      .set({ removed: new Date() })
      .where('instance_id', '=', vm.id)
      .where('removed', 'is', null)
      .execute();
    await recordVmEvent(trx, context, vm, {
      type: 'VM.CREATE',
      state: 'Completed',
      level: 'ERROR',
      description: `Failed to deploy instance ${vm.name}: ${shortened(reason)}`,
    });
    return true;
  });
  if (!failed) return;
  const volume = await context.read((database) => rootVolumeOf(database, vm.id));
  if (volume) await discardVolume({ context, agents: deps.agents, volume });
}
