import { ApiError, invalidParameter, type ParamsOf, specs } from '@millrace/api';
import { demandHostName } from '../domain/addresses.ts';
import { displayableName } from '../domain/template-registration.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { isHostNameTaken } from '../store/network-list.ts';
import type { Row } from '../store/schema.ts';
import { implement } from './command.ts';
import { userDataColumns } from './guest-settings.ts';
import { lockIdleVm } from './request-vm-job.ts';
import { loadVirtualMachine, withoutAdminFields } from './responses/virtual-machine.ts';

type Params = ParamsOf<(typeof specs.updateVirtualMachine)['params']>;

const unchangeable: readonly string[] = ['Error', 'Expunging'];
const mostDetails = 100;
const mostValueLength = 5120;

export const updateVirtualMachine = implement(
  specs.updateVirtualMachine,
  async ({ params, database, caller }) => {
    const entity = await database.transaction().execute(async (trx) => {
      const vm = await lockIdleVm(trx, caller, params.id, 'id');
      if (unchangeable.includes(vm.state)) {
        throw new ApiError('PARAM_ERROR', `instance ${vm.name} is ${vm.state} and cannot be changed`);
      }
      const template = await trx
        .selectFrom('vm_template')
        .selectAll()
        .where('id', '=', vm.vm_template_id)
        .executeTakeFirstOrThrow();
      const givesUserData = params.userdata !== undefined || params.userdataid !== undefined;
      const columns = {
        ...(params.displayname === undefined
          ? {}
          : { display_name: displayableName('displayname', params.displayname) }),
        ...(params.name === undefined ? {} : { name: await newHostName(trx, vm, params.name) }),
        ...(params.haenable === undefined ? {} : { ha_enabled: params.haenable }),
        ...(givesUserData || params.userdatadetails
          ? await userDataColumns(trx, caller, params, givesUserData ? template : unlinked(template))
          : {}),
      };
      if (Object.keys(columns).length > 0) {
        await trx.updateTable('vm_instance').set(columns).where('id', '=', vm.id).execute();
      }
      await changeDetails(trx, vm.id, params);
      await recordEvent(trx, {
        type: 'VM.UPDATE',
        description: `changed instance ${vm.name}`,
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

/** Where only variables are changed, the user data stays what it is, whatever was linked to the template since. */
function unlinked(template: Row<'vm_template'>): Row<'vm_template'> {
  return { ...template, user_data_id: null, user_data_link_policy: null };
}

async function newHostName(executor: Executor, vm: Row<'vm_instance'>, name: string): Promise<string> {
  demandHostName('name', name);
  if (name.toLowerCase() === vm.name.toLowerCase()) return name;
  const networks = await executor
    .selectFrom('nics')
    .innerJoin('networks', 'networks.id', 'nics.network_id')
    .where('nics.instance_id', '=', vm.id)
    .where('nics.removed', 'is', null)
    .select('networks.id')
    .orderBy('networks.id')
    // against a deployment at the same time, which locks its networks too
    .forUpdate('networks')
    .execute();
  const ids = networks.map((network) => network.id);
  if (await isHostNameTaken(executor, ids, name)) {
    throw invalidParameter('name', `the network has an instance ${name} already`);
  }
  return name;
}

/** `details` takes the place of all that there are, as in CloudStack. */
async function changeDetails(
  executor: Executor,
  vmId: number,
  { details, cleanupdetails }: Params,
): Promise<void> {
  if (details === undefined && cleanupdetails !== true) return;
  const entries = Object.entries(cleanupdetails ? {} : (details ?? {}));
  if (entries.length > mostDetails) {
    throw invalidParameter('details', `there are at most ${mostDetails} details`);
  }
  for (const [name, value] of entries) demandDetail(name, value);
  await executor.deleteFrom('vm_instance_details').where('vm_id', '=', vmId).execute();
  if (entries.length === 0) return;
  await executor
    .insertInto('vm_instance_details')
    .values(entries.map(([name, value]) => ({ vm_id: vmId, name, value })))
    .execute();
}

function demandDetail(name: string, value: string): void {
  if (!/^[A-Za-z0-9_.:-]{1,255}$/.test(name)) {
    throw invalidParameter('details', 'a name has 1 to 255 letters, digits, _, ., : and -');
  }
  if (/^extraconfig/i.test(name)) {
    throw invalidParameter('details', 'extraconfig is not supported: domains are made by the server alone');
  }
  if (value.length > mostValueLength) {
    throw invalidParameter(
      'details',
      `${name.slice(0, 80)} must not be longer than ${mostValueLength} characters`,
    );
  }
}
