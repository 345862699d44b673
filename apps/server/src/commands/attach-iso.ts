import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import { usableTemplate } from '../store/templates.ts';
import { implement } from './command.ts';
import { demandReady } from './demand-ready.ts';
import { requestVmJob } from './request-vm-job.ts';
import { reachOf } from './scope.ts';

export const attachIso = implement(specs.attachIso, async (context) => {
  const { params, caller } = context;
  const forced = params.forced ?? false;
  const jobId = await requestVmJob(context, {
    command: 'attachIso',
    idParam: 'virtualmachineid',
    vmUuid: params.virtualmachineid,
    caller,
    eventType: 'ISO.ATTACH',
    doing: 'attaching an ISO to instance',
    prepare: async (vm, executor) => {
      const iso = await usableTemplate(executor, {
        uuid: params.id,
        zoneId: vm.data_center_id,
        scope: reachOf(caller),
        kind: 'iso',
      });
      if (!iso) throw entityNotFound('id', params.id);
      if (iso.zone_id === null) {
        throw invalidParameter('id', `ISO ${iso.name} is not registered for the zone of the instance`);
      }
      await demandReady(executor, iso, vm.data_center_id, 'id');
      if (vm.iso_id !== null && !forced) {
        throw new ApiError(
          'PARAM_ERROR',
          `instance ${vm.name} has an ISO in its drive already: detach it first, or use forced=true`,
        );
      }
      return { vmId: vm.id, isoId: iso.id, forced };
    },
  });
  return { jobId };
});
