import { specs } from '@millrace/api';
import { implement } from './command.ts';
import { demandExpungePermission } from './expunge-permission.ts';
import { requestVmJob } from './request-vm-job.ts';

export const expungeVirtualMachine = implement(specs.expungeVirtualMachine, async (context) => {
  const { params, caller } = context;
  await demandExpungePermission(context.database, caller);
  const jobId = await requestVmJob(context, {
    command: 'expungeVirtualMachine',
    vmUuid: params.id,
    caller,
    eventType: 'VM.EXPUNGE',
    doing: 'expunging instance',
    prepare: (vm) => ({ vmId: vm.id }),
  });
  return { jobId };
});
