import { ApiError } from '@millrace/api';
import { messageForUsers } from '../domain/host-failures.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import { StepFailed } from '../jobs/steps.ts';
import { endAttempt } from '../store/deployment-attempts.ts';
import type { Row } from '../store/schema.ts';
import { transitionVm } from '../store/vm-transitions.ts';
import { makeAttemptProgress } from './attempt-progress.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { loadTemplateRow, loadVm } from './records.ts';
import { decodeRestoreState, type Restore, type RestoreState, restoreSteps } from './restore-steps.ts';
import { reconnectBoundMs, recordVmEvent, vmAnswerWithPassword } from './vm-job.ts';

type Context = JobContext<'restoreVirtualMachine'>;

/**
 * Gives an instance a new root disk from its template, or from another one. The template is fetched first, so that a
 * dead source costs the instance nothing; the old disk is given up only when the new one is there.
 */
export function restoreVirtualMachine(deps: WorkflowDeps): JobDefinition<'restoreVirtualMachine'> {
  return {
    async run(context) {
      const { vmId, templateId } = context.parameters;
      const record = await context.read((database) => loadVm(database, vmId));
      const { vm } = record;
      const template =
        templateId === undefined
          ? record.template
          : await context.read((database) => loadTemplateRow(database, templateId));
      const progress = makeAttemptProgress(context, 1, template.source_count);
      const restore: Restore = {
        deps,
        context,
        record,
        template,
        progress,
        reconnectMs: await reconnectBoundMs(context),
      };
      try {
        await deps.runSteps<RestoreState>({
          context,
          prefix: 'restore/',
          steps: restoreSteps(restore),
          initial: {},
          decode: decodeRestoreState,
        });
      } catch (error) {
        if (!(error instanceof StepFailed)) throw error;
        await progress.flush();
        throw await restoreFailed(context, vm, error);
      }
      await progress.flush();
      await context.write(async (trx) => {
        await endAttempt(
          trx,
          { jobId: context.job.id, ordinal: 1 },
          {
            state: 'succeeded',
            next: 'done',
            phaseMs: context.progress.phaseMs(),
          },
        );
        await recordVmEvent(trx, context, vm, {
          type: 'VM.RESTORE',
          state: 'Completed',
          description: `Successfully restored instance ${vm.name} from template ${template.name}`,
        });
      });
      return vmAnswerWithPassword(context, vmId);
    },
    async giveUp(context, reason) {
      const { vm } = await context.read((database) => loadVm(database, context.parameters.vmId));
      await context.write(async (trx) => {
        // between two states only a job can be; which of the two it reached, its host reports
        if (vm.state === 'Stopping') await transitionVm(trx, vm.id, 'stop-failed');
        if (vm.state === 'Starting') await transitionVm(trx, vm.id, 'start-failed', { host_id: null });
        await recordVmEvent(trx, context, vm, {
          type: 'VM.RESTORE',
          state: 'Completed',
          level: 'ERROR',
          description: `Failed to restore instance ${vm.name}: ${reason}`,
        });
      });
    },
  };
}

async function restoreFailed(context: Context, vm: Row<'vm_instance'>, error: StepFailed): Promise<ApiError> {
  const { failure } = error;
  const userMessage =
    error.cause instanceof ApiError ? error.cause.userText : messageForUsers(failure.code, failure.message);
  await context.write(async (trx) => {
    await endAttempt(
      trx,
      { jobId: context.job.id, ordinal: 1 },
      {
        state: 'failed',
        next: 'stop',
        reason: failure.code,
        message: failure.message,
        sources: failure.attempts,
        phaseMs: context.progress.phaseMs(),
      },
    );
    await recordVmEvent(trx, context, vm, {
      type: 'VM.RESTORE',
      state: 'Completed',
      level: 'ERROR',
      description: `Failed to restore instance ${vm.name}: ${userMessage}`,
    });
  });
  if (error.cause instanceof ApiError) return error.cause;
  const sources = (failure.attempts ?? []).map(
    (source) => `${source.url}: ${source.message ?? source.reason ?? source.state}`,
  );
  const text = (message: string) =>
    `The instance could not be restored (${error.step}): ${message}${sources.length > 0 ? ` [${sources.join('; ')}]` : ''}`;
  return new ApiError('INTERNAL_ERROR', text(failure.message), { userText: text(userMessage) });
}
