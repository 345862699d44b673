import { invalidParameter, specs } from '@millrace/api';
import { vmStates } from '../domain/virtual-machine-states.ts';
import {
  listVirtualMachineRows,
  type VirtualMachineOrder,
  virtualMachineOrders,
} from '../store/virtual-machines.ts';
import { implement } from './command.ts';
import { idsFrom, pageFrom } from './page.ts';
import { virtualMachineEntities } from './responses/virtual-machine.ts';
import { listScope } from './scope.ts';

export const listVirtualMachines = implement(
  specs.listVirtualMachines,
  async ({ params, database, caller }) => {
    const { hypervisor } = params;
    if (hypervisor !== undefined && hypervisor.toLowerCase() !== 'kvm') return { list: [], count: 0 };
    const uuids = idsFrom(params);
    const filter = {
      scope: await listScope(database, caller, params, uuids !== undefined),
      uuids,
      name: params.name,
      keyword: params.keyword,
      states: statesOf(params.state),
      // asked for by name only: what is expunged is gone for everybody else
      removed: params.state?.toLowerCase() === 'expunged',
      zoneUuid: params.zoneid,
      podUuid: params.podid,
      clusterUuid: params.clusterid,
      hostUuid: params.hostid,
      poolUuid: params.storageid,
      templateUuid: params.templateid,
      isoUuid: params.isoid,
      networkUuid: params.networkid,
      serviceOfferingUuid: params.serviceofferingid,
      userUuid: params.userid,
      keyPair: params.keypair,
      haEnabled: params.haenable,
      tags: params.tags,
      order: orderFrom(params.sortby),
    };
    const { rows, count } = await listVirtualMachineRows(database, filter, await pageFrom(database, params));
    const options = { withUserData: params.userdata === true };
    return { list: await virtualMachineEntities(database, rows, caller.role === 'admin', options), count };
  },
);

/** @throws ApiError 431 */
function orderFrom(word: string | undefined): VirtualMachineOrder | undefined {
  if (word === undefined) return undefined;
  const by = word.replace(/^-/, '').toLowerCase();
  const known = virtualMachineOrders.find((name) => name === by);
  if (!known) throw invalidParameter('sortby', `must be one of ${virtualMachineOrders.join(', ')}`);
  return { by: known, descending: word.startsWith('-') };
}

/** `Present` is CloudStack's word for what still is or may come to be. An unknown word matches nothing. */
function statesOf(word: string | undefined): readonly string[] | undefined {
  if (word === undefined) return undefined;
  if (word.toLowerCase() === 'present') {
    return vmStates.filter((state) => !['Destroyed', 'Expunging', 'Expunged'].includes(state));
  }
  return vmStates.filter((state) => state.toLowerCase() === word.toLowerCase());
}
