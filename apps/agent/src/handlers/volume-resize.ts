import { fail } from '../failure.ts';
import { domainState } from '../hypervisor/domains.ts';
import type { Virsh } from '../hypervisor/virsh.ts';
import type { Lanes } from '../lanes.ts';
import { diskInfo, growDisk } from '../qemu-img/qemu-img.ts';
import { pathInPool, requirePool, statOrUndefined } from '../storage/pool.ts';
import type { Handler } from './handler.ts';
import { vmLane } from './vm-lane.ts';
import { volumeLane } from './volume-create.ts';

/** Makes a disk larger: through the VM that runs with it, or the file itself. One that is as large already is left alone. */
export function makeVolumeResize({
  virsh,
  lanes,
}: {
  readonly virsh: Virsh;
  readonly lanes: Lanes;
}): Handler<'volume.resize'> {
  return async ({ vm, pool, path: fileName, sizeBytes }, { signal }) => {
    const path = pathInPool(pool, fileName);
    const lane = vm ? vmLane(vm.uuid) : volumeLane(path);
    return lanes.run(lane, signal, async () => {
      await requirePool(pool);
      if (!(await statOrUndefined(path)))
        fail('VOLUME_MISSING', `the disk ${fileName} is not in ${pool.path}`);
      const before = await diskInfo(path, 'qcow2', signal);
      if (before.virtualSizeBytes >= sizeBytes) return { virtualSizeBytes: before.virtualSizeBytes };
      const running = vm !== undefined && (await domainState(virsh, vm.uuid, signal)) === 'Running';
      if (running) await virsh(['blockresize', vm.uuid, path, `${sizeBytes}B`], { signal });
      else await growDisk(path, sizeBytes, signal);
      return { virtualSizeBytes: (await diskInfo(path, 'qcow2', signal)).virtualSizeBytes };
    });
  };
}
