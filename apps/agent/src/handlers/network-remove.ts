import type { Networks } from '../hypervisor/networks.ts';
import type { Handler } from './handler.ts';

/** Forgets a network that was deleted: its libvirt definition, and the bridge that was made for it. */
export function makeNetworkRemove({ networks }: { readonly networks: Networks }): Handler<'network.remove'> {
  return async ({ network }, { signal }) => {
    await networks.remove(network, signal);
    return {};
  };
}
