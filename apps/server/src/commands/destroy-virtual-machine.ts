import { ApiError, specs } from '@millrace/api';
import { implement } from './command.ts';
import { demandExpungePermission } from './expunge-permission.ts';
import { requestVmJob } from './request-vm-job.ts';

export const destroyVirtualMachine = implement(specs.destroyVirtualMachine, async (context) => {
  const { params, caller } = context;
  const expunge = params.expunge ?? false;
  if (expunge) await demandExpungePermission(context.database, caller);
  const jobId = await requestVmJob(context, {
    command: 'destroyVirtualMachine',
    vmUuid: params.id,
    caller,
    eventType: 'VM.DESTROY',
    doing: expunge ? 'destroying and expunging instance' : 'destroying instance',
    prepare: (vm) => {
      if (vm.state === 'Destroyed' && !expunge) {
        throw new ApiError(
          'PARAM_ERROR',
          `instance ${vm.name} is Destroyed already; expunge=true removes it for good, recoverVirtualMachine brings it back`,
        );
      }
      return { vmId: vm.id, expunge };
    },
  });
  return { jobId };
});
