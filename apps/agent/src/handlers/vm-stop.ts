import type { Holds } from '../fencing/holds.ts';
import { domainState } from '../hypervisor/domains.ts';
import { destroy, type PowerDeps, shutDown } from '../hypervisor/power.ts';
import type { Lanes } from '../lanes.ts';
import type { Handler } from './handler.ts';
import { vmLane } from './vm-lane.ts';

/** Stops a VM: by its power button, and by pulling the plug when it does not react in time or when `forced`. */
export function makeVmStop(
  deps: PowerDeps & { readonly lanes: Lanes; readonly holds: Pick<Holds, 'release'> },
): Handler<'vm.stop'> {
  return ({ vm, forced, timeoutSeconds }, { signal }) =>
    deps.lanes.run(vmLane(vm.uuid), signal, async () => {
      const before = await domainState(deps.virsh, vm.uuid, signal);
      if (before !== 'Running') return { state: before, forcedAfterTimeout: false };
      const wentOff = !forced && (await shutDown(deps, vm, { timeoutMs: timeoutSeconds * 1000, signal }));
      if (!wentOff) await destroy(deps, vm, signal);
      const state = await domainState(deps.virsh, vm.uuid, signal);
      if (state !== 'Running') await deps.holds.release(vm.uuid);
      deps.log.info({ vm: vm.uuid, name: vm.instanceName, forced: !wentOff }, 'virtual machine stopped');
      return { state, forcedAfterTimeout: !forced && !wentOff };
    });
}
