import { fail } from '../failure.ts';
import { domainState } from '../hypervisor/domains.ts';
import { type PowerDeps, rebootByGuest } from '../hypervisor/power.ts';
import { unless } from '../hypervisor/virsh.ts';
import type { Lanes } from '../lanes.ts';
import type { Handler } from './handler.ts';
import { vmLane } from './vm-lane.ts';

/** Reboots a VM: by the guest itself, and by a hardware reset when it does not react in time or when `forced`. */
export function makeVmReboot(deps: PowerDeps & { readonly lanes: Lanes }): Handler<'vm.reboot'> {
  return ({ vm, forced, timeoutSeconds }, { signal }) =>
    deps.lanes.run(vmLane(vm.uuid), signal, async () => {
      const { virsh } = deps;
      const before = await domainState(virsh, vm.uuid, signal);
      if (before === 'Missing')
        fail('VM_MISSING', `libvirt does not know ${vm.instanceName}: start it instead of rebooting it`);
      if (before === 'Running') {
        const rebooted =
          !forced && (await rebootByGuest(deps, vm, { timeoutMs: timeoutSeconds * 1000, signal }));
        if (!rebooted) {
          if (!forced) deps.log.warn({ vm: vm.uuid }, 'the guest did not reboot in time: it is reset');
          await unless('domain-not-running', virsh(['reset', vm.uuid], { signal }));
        }
      }
      // off before, or switched off instead of rebooted: a reboot ends with a running VM
      if ((await domainState(virsh, vm.uuid, signal)) === 'Stopped')
        await unless('domain-running', virsh(['start', vm.uuid], { signal }));
      return { state: await domainState(virsh, vm.uuid, signal) };
    });
}
