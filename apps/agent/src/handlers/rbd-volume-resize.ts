import { rbdImages } from '@millrace/image/rbd-images';
import { fail } from '../failure.ts';
import { domainState } from '../hypervisor/domains.ts';
import type { Virsh } from '../hypervisor/virsh.ts';
import type { Lanes } from '../lanes.ts';
import { rbdPoolOf } from '../storage/rbd-access.ts';
import { rbdImageName, rbdLane, rbdPathOf } from '../storage/rbd-name.ts';
import type { Handler } from './handler.ts';
import { vmLane } from './vm-lane.ts';

/** Makes a disk of an RBD pool larger: through the VM that runs with it, or the image itself. */
export function makeRbdVolumeResize(deps: {
  readonly virsh: Virsh;
  readonly lanes: Lanes;
}): Handler<'volume.resize'> {
  const { virsh, lanes } = deps;
  return ({ vm, pool, path, sizeBytes }, { signal }) =>
    lanes.run(vm ? vmLane(vm.uuid) : rbdLane(pool, path), signal, async () => {
      const images = rbdImages(rbdPoolOf(pool), signal);
      const name = rbdImageName(path);
      const before = await images.sizeOf(name);
      if (before === undefined)
        fail('VOLUME_MISSING', `the disk ${name} is not in the RBD pool ${pool.path}`);
      if (before >= sizeBytes) return { virtualSizeBytes: before };
      const running = vm !== undefined && (await domainState(virsh, vm.uuid, signal)) === 'Running';
      if (running) {
        const target = await targetOf(virsh, vm.uuid, rbdPathOf(pool, path), signal);
        await virsh(['blockresize', vm.uuid, target, `${sizeBytes}B`], { signal });
      } else await images.resize(name, sizeBytes);
      return { virtualSizeBytes: (await images.sizeOf(name)) ?? sizeBytes };
    });
}

/** The name of the disk in the guest: libvirt finds one by its path only when it is a file. */
async function targetOf(virsh: Virsh, uuid: string, source: string, signal: AbortSignal): Promise<string> {
  for (const line of (await virsh(['domblklist', uuid], { signal })).split('\n')) {
    const [target, name] = line.trim().split(/\s+/);
    if (target && name === source) return target;
  }
  return fail('VOLUME_MISSING', `the virtual machine runs without the disk ${source}`);
}
