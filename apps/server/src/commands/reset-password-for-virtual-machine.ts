import { invalidParameter, specs } from '@millrace/api';
import { renewPassword } from '../store/guest-password.ts';
import { implement } from './command.ts';
import { requestVmJob } from './request-vm-job.ts';

export const resetPasswordForVirtualMachine = implement(
  specs.resetPasswordForVirtualMachine,
  async (context) => {
    const jobId = await requestVmJob(context, {
      command: 'resetPasswordForVirtualMachine',
      vmUuid: context.params.id,
      caller: context.caller,
      eventType: 'VM.RESETPASSWORD',
      doing: 'resetting the password of instance',
      prepare: async (vm, executor) => {
        const template = await executor
          .selectFrom('vm_template')
          .select(['name', 'enable_password'])
          .where('id', '=', vm.vm_template_id)
          .executeTakeFirstOrThrow();
        if (!template.enable_password) {
          throw invalidParameter('id', `the template ${template.name} of the instance takes no password`);
        }
        await renewPassword(executor, vm.id, template);
        return { vmId: vm.id };
      },
    });
    return { jobId };
  },
);
