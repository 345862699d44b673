import { specs } from '@millrace/api';
import { implement } from './command.ts';
import { hostIdOf } from './find-host.ts';
import { requestVmJob } from './request-vm-job.ts';

export const migrateVirtualMachine = implement(specs.migrateVirtualMachine, async (context) => {
  const { params, caller } = context;
  const jobId = await requestVmJob(context, {
    command: 'migrateVirtualMachine',
    idParam: 'virtualmachineid',
    vmUuid: params.virtualmachineid,
    caller,
    eventType: 'VM.MIGRATE',
    doing: 'moving instance',
    prepare: async (vm, executor) => ({
      vmId: vm.id,
      ...(params.hostid === undefined
        ? {}
        : { hostId: await hostIdOf(executor, params.hostid, vm.data_center_id) }),
    }),
  });
  return { jobId };
});
