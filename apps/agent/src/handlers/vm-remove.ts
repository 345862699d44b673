import type { ConfigDrives } from '../config-drive/config-drives.ts';
import type { Holds } from '../fencing/holds.ts';
import type { ConsoleLogs } from '../hypervisor/console-log.ts';
import { type Networks, networkCardsOf } from '../hypervisor/networks.ts';
import { destroy } from '../hypervisor/power.ts';
import { unless, type Virsh } from '../hypervisor/virsh.ts';
import type { Lanes } from '../lanes.ts';
import type { Handler } from './handler.ts';
import { vmLane } from './vm-lane.ts';

/** Forgets a VM: pulls its plug, frees its addresses and networks, removes its console log, config drive and definition; its disks stay. */
export function makeVmRemove(deps: {
  readonly virsh: Virsh;
  readonly networks: Networks;
  readonly consoleLogs: ConsoleLogs;
  readonly configDrives: ConfigDrives;
  readonly holds: Pick<Holds, 'release'>;
  readonly lanes: Lanes;
}): Handler<'vm.remove'> {
  const { virsh, networks, consoleLogs, configDrives, holds, lanes } = deps;
  return ({ vm }, { signal }) =>
    lanes.run(vmLane(vm.uuid), signal, async () => {
      const description = await unless('no-domain', virsh(['dumpxml', '--inactive', vm.uuid], { signal }));
      if (description !== undefined) {
        await destroy({ virsh }, vm, signal);
        for (const { mac, network } of networkCardsOf(description)) {
          await networks.unreserve(network, mac, signal);
          await networks.release(network, vm.uuid, signal);
        }
      }
      await consoleLogs.remove(vm.instanceName);
      await configDrives.remove(vm.uuid);
      await holds.release(vm.uuid);
      // last, since it holds what the steps before need when a crash makes them run again
      await unless(
        'no-domain',
        virsh(['undefine', vm.uuid, '--managed-save', '--snapshots-metadata', '--nvram'], { signal }),
      );
      return {};
    });
}
