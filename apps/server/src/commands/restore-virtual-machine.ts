import { entityNotFound, invalidParameter, specs } from '@millrace/api';
import { usableTemplate } from '../store/templates.ts';
import { implement } from './command.ts';
import { demandReady } from './demand-ready.ts';
import { requestVmJob } from './request-vm-job.ts';
import { rootDiskBytes } from './root-disk-size.ts';
import { reachOf } from './scope.ts';

export const restoreVirtualMachine = implement(specs.restoreVirtualMachine, async (context) => {
  const { params, caller } = context;
  const jobId = await requestVmJob(context, {
    command: 'restoreVirtualMachine',
    idParam: 'virtualmachineid',
    vmUuid: params.virtualmachineid,
    caller,
    eventType: 'VM.RESTORE',
    doing: 'reinstalling instance',
    prepare: async (vm, executor) => {
      const present = await executor
        .selectFrom('vm_template')
        .select(['uuid', 'removed', 'size', 'format', 'bootable', 'name'])
        .where('id', '=', vm.vm_template_id)
        .executeTakeFirstOrThrow();
      if (params.templateid === undefined && present.removed) {
        throw invalidParameter(
          'templateid',
          'the template of the instance has been deleted: name another one to install',
        );
      }
      const template =
        params.templateid === undefined
          ? undefined
          : await usableTemplate(executor, {
              uuid: params.templateid,
              zoneId: vm.data_center_id,
              scope: reachOf(caller),
            });
      if (params.templateid !== undefined && !template) throw entityNotFound('templateid', params.templateid);
      if (template && template.zone_id === null) {
        throw invalidParameter('templateid', 'the template is not registered for the zone of the instance');
      }
      if (template) await demandReady(executor, template, vm.data_center_id, 'templateid');
      const installed = template ?? present;
      const fromIso = installed.format === 'ISO';
      if (fromIso && !installed.bootable) {
        throw invalidParameter(
          'templateid',
          `ISO ${installed.name} is registered as one that nothing boots from`,
        );
      }
      const bytes = rootDiskBytes(params.rootdisksize, fromIso ? null : installed.size);
      return {
        vmId: vm.id,
        ...(template === undefined ? {} : { templateId: template.id }),
        ...(bytes === undefined ? {} : { rootDiskSizeBytes: bytes }),
      };
    },
  });
  return { jobId };
});
