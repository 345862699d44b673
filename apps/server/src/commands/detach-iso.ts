import { ApiError, specs } from '@millrace/api';
import { implement } from './command.ts';
import { requestVmJob } from './request-vm-job.ts';

export const detachIso = implement(specs.detachIso, async (context) => {
  const { params, caller } = context;
  const jobId = await requestVmJob(context, {
    command: 'detachIso',
    idParam: 'virtualmachineid',
    vmUuid: params.virtualmachineid,
    caller,
    eventType: 'ISO.DETACH',
    doing: 'detaching the ISO of instance',
    prepare: (vm) => {
      if (vm.iso_id === null) {
        throw new ApiError('PARAM_ERROR', `instance ${vm.name} has no ISO in its drive`);
      }
      return { vmId: vm.id, forced: params.forced ?? false };
    },
  });
  return { jobId };
});
