import { invalidParameter, specs } from '@millrace/api';
import { renewPassword } from '../store/guest-password.ts';
import { implement } from './command.ts';
import { keysNamed } from './guest-settings.ts';
import { requestVmJob } from './request-vm-job.ts';
import { ownerOf } from './scope.ts';

/** Like CloudStack it gives a new password too: the old one could be told only to the old key. */
export const resetSSHKeyForVirtualMachine = implement(specs.resetSSHKeyForVirtualMachine, async (context) => {
  const { params, caller } = context;
  const jobId = await requestVmJob(context, {
    command: 'resetSSHKeyForVirtualMachine',
    vmUuid: params.id,
    caller,
    eventType: 'VM.RESETSSHKEY',
    doing: 'resetting the SSH keys of instance',
    prepare: async (vm, executor) => {
      if (params.account !== undefined) {
        const named = await ownerOf(executor, caller, params);
        if (named.accountId !== vm.account_id) {
          throw invalidParameter('account', 'must be the account that owns the instance');
        }
      }
      const keys = await keysNamed(executor, vm.account_id, params);
      if (keys.length === 0) throw invalidParameter('keypairs', 'must name an SSH key pair');
      await executor
        .updateTable('vm_instance')
        .set({ ssh_keys: JSON.stringify(keys) })
        .where('id', '=', vm.id)
        .execute();
      const template = await executor
        .selectFrom('vm_template')
        .select('enable_password')
        .where('id', '=', vm.vm_template_id)
        .executeTakeFirstOrThrow();
      await renewPassword(executor, vm.id, template);
      return { vmId: vm.id };
    },
  });
  return { jobId };
});
