import { ApiError, specs } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { resourcesOfVm } from '../store/resource-limits.ts';
import type { Row } from '../store/schema.ts';
import { transitionVm } from '../store/vm-transitions.ts';
import { implement } from './command.ts';
import { demandResources } from './demand-resources.ts';
import { demandExpungePermission } from './expunge-permission.ts';
import { demandState, lockIdleVm } from './request-vm-job.ts';
import { loadVirtualMachine, withoutAdminFields } from './responses/virtual-machine.ts';

export const recoverVirtualMachine = implement(
  specs.recoverVirtualMachine,
  async ({ params, database, caller }) => {
    await demandExpungePermission(database, caller);
    const entity = await database.transaction().execute(async (trx) => {
      const vm = await lockIdleVm(trx, caller, params.id, 'id');
      demandState('recoverVirtualMachine', vm);
      await demandDisk(trx, vm);
      await demandResources(trx, vm.account_id, await resourcesOfVm(trx, vm.id));
      const { applied, state } = await transitionVm(trx, vm.id, 'recover');
      if (!applied) throw new ApiError('PARAM_ERROR', `instance ${vm.name} has become ${state} meanwhile`);
      await recordEvent(trx, {
        type: 'VM.RECOVER',
        description: `recovered instance ${vm.name}`,
        userId: caller.userId,
        accountId: vm.account_id,
        resourceType: 'VirtualMachine',
        resourceUuid: vm.uuid,
      });
      return loadVirtualMachine(trx, vm.id);
    });
    return { object: caller.role === 'admin' ? entity : withoutAdminFields(entity) };
  },
);

/** What never came to be has lost its disk and its addresses, and would come back as something that cannot be started. */
async function demandDisk(executor: Executor, vm: Row<'vm_instance'>): Promise<void> {
  const disk = await executor
    .selectFrom('volumes')
    .select('id')
    .where('instance_id', '=', vm.id)
    .where('removed', 'is', null)
    .executeTakeFirst();
  if (disk) return;
  throw new ApiError(
    'PARAM_ERROR',
    `instance ${vm.name} has no disk to come back with, for its deployment failed: expunge it and deploy it anew`,
  );
}
