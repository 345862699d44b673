import { entityNotFound, invalidParameter, specs } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { findOffering, offeringOf } from '../store/offering-list.ts';
import type { Row } from '../store/schema.ts';
import { rootPoolOf } from '../store/volumes.ts';
import { type Caller, implement } from './command.ts';
import { demandResources } from './demand-resources.ts';
import { demandState, lockIdleVm } from './request-vm-job.ts';
import { loadVirtualMachine, withoutAdminFields } from './responses/virtual-machine.ts';

export const changeServiceForVirtualMachine = implement(
  specs.changeServiceForVirtualMachine,
  async ({ params, database, caller }) => {
    const vmId = await database
      .transaction()
      .execute(async (trx) => (await changeOffering(trx, caller, params)).id);
    const entity = await loadVirtualMachine(database, vmId);
    return { object: caller.role === 'admin' ? entity : withoutAdminFields(entity) };
  },
);

/** The same as a job, which is done when it begins: instances are not scaled while they run. */
export const scaleVirtualMachine = implement(
  specs.scaleVirtualMachine,
  async ({ params, database, jobs, caller }) => {
    const jobId = await database.transaction().execute(async (trx) => {
      const vm = await changeOffering(trx, caller, params);
      return jobs.enqueue(trx, {
        command: 'scaleVirtualMachine',
        parameters: {},
        userId: caller.userId,
        accountId: vm.account_id,
        instanceType: 'VirtualMachine',
        instanceUuid: vm.uuid,
      });
    });
    return { jobId };
  },
);

/** @throws ApiError 431 when the instance is not stopped, or its root disk is where the offering does not allow it */
async function changeOffering(
  trx: Executor,
  caller: Caller,
  params: { readonly id: string; readonly serviceofferingid: string },
): Promise<Row<'vm_instance'>> {
  const vm = await lockIdleVm(trx, caller, params.id, 'id');
  demandState('changeServiceForVirtualMachine', vm);
  const offering = await findOffering(trx, params.serviceofferingid);
  if (!offering) throw entityNotFound('serviceofferingid', params.serviceofferingid);
  const pool = await rootPoolOf(trx, vm.id);
  if (pool) demandFit(offering, pool);
  const present = await offeringOf(trx, vm.service_offering_id);
  await demandResources(trx, vm.account_id, {
    cpu: offering.cpu - present.cpu,
    memory: offering.ram_size - present.ram_size,
  });
  await trx
    .updateTable('vm_instance')
    .set({ service_offering_id: offering.id, ha_enabled: offering.ha_enabled })
    .where('id', '=', vm.id)
    .execute();
  await recordEvent(trx, {
    type: 'VM.UPGRADE',
    description: `instance ${vm.name} has the service offering ${offering.name} now`,
    userId: caller.userId,
    accountId: vm.account_id,
    resourceType: 'VirtualMachine',
    resourceUuid: vm.uuid,
  });
  return vm;
}

/** The root disk stays where it is, and the next start must find that the offering allows that. */
function demandFit(
  offering: Row<'service_offering'>,
  pool: { readonly name: string; readonly scope: string; readonly tags: string | null },
): void {
  const refuse = (why: string) =>
    invalidParameter('serviceofferingid', `the root disk is on storage pool ${pool.name}, which ${why}`);
  if (offering.storage_type === 'local' && pool.scope !== 'HOST') throw refuse('is no local one');
  const has = new Set(pool.tags?.split(',') ?? []);
  const missing = offering.tags?.split(',').find((tag) => !has.has(tag));
  if (missing !== undefined) throw refuse(`lacks the tag ${missing}`);
}
