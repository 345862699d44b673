import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import type { EventType } from '../store/events.ts';
import { loadVm } from './records.ts';
import { recordVmEvent, vmAnswerWithPassword } from './vm-job.ts';

/**
 * The request has changed the rows already, and hosts have nothing to do before the instance starts: what is left is to
 * answer, with the new password.
 */
export function resetPasswordForVirtualMachine(): JobDefinition<'resetPasswordForVirtualMachine'> {
  return { run: (context) => answerReset(context, 'VM.RESETPASSWORD', 'reset the password') };
}

/** The same of SSH keys. */
export function resetSSHKeyForVirtualMachine(): JobDefinition<'resetSSHKeyForVirtualMachine'> {
  return { run: (context) => answerReset(context, 'VM.RESETSSHKEY', 'reset the SSH keys') };
}

async function answerReset(
  context: JobContext<'resetPasswordForVirtualMachine' | 'resetSSHKeyForVirtualMachine'>,
  type: EventType,
  done: string,
): Promise<object> {
  const { vmId } = context.parameters;
  const { vm } = await context.read((database) => loadVm(database, vmId));
  await context.write((trx) =>
    recordVmEvent(trx, context, vm, {
      type,
      state: 'Completed',
      description: `Successfully ${done} of instance ${vm.name}`,
    }),
  );
  return vmAnswerWithPassword(context, vmId);
}
