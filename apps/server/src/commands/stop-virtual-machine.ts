import { specs } from '@millrace/api';
import { implement } from './command.ts';
import { requestVmJob } from './request-vm-job.ts';

export const stopVirtualMachine = implement(specs.stopVirtualMachine, async (context) => {
  const { params, caller } = context;
  const jobId = await requestVmJob(context, {
    command: 'stopVirtualMachine',
    vmUuid: params.id,
    caller,
    eventType: 'VM.STOP',
    doing: 'stopping instance',
    prepare: (vm) => ({ vmId: vm.id, forced: params.forced ?? false }),
  });
  return { jobId };
});
