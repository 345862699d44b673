import { domainState } from '../hypervisor/domains.ts';
import type { Virsh } from '../hypervisor/virsh.ts';
import type { Handler } from './handler.ts';

/** Asks libvirt, now. */
export function makeVmState(deps: { readonly virsh: Virsh }): Handler<'vm.state'> {
  return async ({ vm }, { signal }) => ({ state: await domainState(deps.virsh, vm.uuid, signal) });
}
