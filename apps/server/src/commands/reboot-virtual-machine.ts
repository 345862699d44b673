import { specs } from '@millrace/api';
import { implement } from './command.ts';
import { requestVmJob } from './request-vm-job.ts';

export const rebootVirtualMachine = implement(specs.rebootVirtualMachine, async (context) => {
  const { params, caller } = context;
  const jobId = await requestVmJob(context, {
    command: 'rebootVirtualMachine',
    vmUuid: params.id,
    caller,
    eventType: 'VM.REBOOT',
    doing: 'rebooting instance',
    prepare: (vm) => ({ vmId: vm.id, forced: params.forced ?? false }),
  });
  return { jobId };
});
