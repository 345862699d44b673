import type { AgentMethods, ParamsOf, PoolReference } from '@millrace/agent-protocol';
import { sleep } from '@millrace/core';
import { fail } from '../failure.ts';
import { giveCephSecret } from '../hypervisor/ceph-secret.ts';
import { withDefinitionFile } from '../hypervisor/definition-file.ts';
import { type DataDisk, dataDiskXml, diskTarget } from '../hypervisor/domain-xml.ts';
import { domainState } from '../hypervisor/domains.ts';
import { rbdSource, rbdSourceOf } from '../hypervisor/rbd-disk.ts';
import { unless, type Virsh } from '../hypervisor/virsh.ts';
import type { Lanes } from '../lanes.ts';
import { diskInfo } from '../qemu-img/qemu-img.ts';
import { pathInPool, requirePool, statOrUndefined } from '../storage/pool.ts';
import type { Handler } from './handler.ts';
import { vmLane } from './vm-lane.ts';

interface Deps {
  readonly virsh: Virsh;
  readonly lanes: Lanes;
}

type Disk = ParamsOf<AgentMethods, 'volume.attach'>['disk'];

/** A guest that has the disk mounted never lets go of it; one that has not does so within a second. */
const detachWithinMs = 20_000;

/** Plugs a data disk into a running VM. Asked again it finds it plugged. */
export function makeVolumeAttach({ virsh, lanes }: Deps): Handler<'volume.attach'> {
  return ({ vm, pool, disk }, { signal }) =>
    lanes.run(vmLane(vm.uuid), signal, async () => {
      const state = await domainState(virsh, vm.uuid, signal);
      if (state !== 'Running') return { state };
      if (pool.type === 'RBD') await giveCephSecret(virsh, pool, signal);
      const data = await dataDiskOf(pool, disk, signal);
      if (!(await isPlugged(virsh, vm.uuid, data, signal)))
        await unless(
          'domain-not-running',
          withDefinitionFile(dataDiskXml(data).xml, (file) =>
            virsh(['attach-device', vm.uuid, file, '--live'], { signal }),
          ),
        );
      return { state: await domainState(virsh, vm.uuid, signal) };
    });
}

/** Unplugs it, and waits for the guest to let go. */
export function makeVolumeDetach({ virsh, lanes }: Deps): Handler<'volume.detach'> {
  return ({ vm, pool, disk }, { signal }) =>
    lanes.run(vmLane(vm.uuid), signal, async () => {
      const { path, ...rest } = disk;
      const data =
        pool.type === 'RBD'
          ? { ...rest, rbd: rbdSource(pool, path) }
          : { ...rest, path: pathInPool(pool, path) };
      const deadline = performance.now() + detachWithinMs;
      for (;;) {
        const state = await domainState(virsh, vm.uuid, signal);
        if (state !== 'Running' || !(await isPlugged(virsh, vm.uuid, data, signal))) return { state };
        if (performance.now() > deadline)
          fail(
            'DISK_BUSY',
            `the guest ${vm.instanceName} does not let go of the disk ${diskTarget(disk.position)}: unmount it there, or stop the instance`,
            undefined,
            'stop',
          );
        // asked again while the guest still thinks, libvirt says so: it is looked at again
        await virsh(['detach-disk', vm.uuid, diskTarget(disk.position), '--live'], { signal }).catch(
          () => {},
        );
        await sleep(500, signal);
      }
    });
}

async function isPlugged(virsh: Virsh, uuid: string, disk: DataDisk, signal: AbortSignal): Promise<boolean> {
  const printed = await virsh(['domblklist', uuid], { signal });
  const place = 'rbd' in disk ? disk.rbd.name : disk.path;
  return printed.split('\n').some((line) => {
    const [target, source] = line.trim().split(/\s{2,}|\s(?=\/)/);
    return target === diskTarget(disk.position) && source === place;
  });
}

/** A data disk as it is plugged in: it must be there, and as a file stand on nothing, since QEMU opens what it names. */
export async function dataDiskOf(pool: PoolReference, disk: Disk, signal: AbortSignal): Promise<DataDisk> {
  if (pool.type === 'RBD') {
    const { path: name, ...rest } = disk;
    return { ...rest, rbd: await rbdSourceOf(pool, name, 'VOLUME_MISSING', signal) };
  }
  await requirePool(pool);
  const path = pathInPool(pool, disk.path);
  if (!(await statOrUndefined(path))) fail('VOLUME_MISSING', `the disk ${disk.path} is not in ${pool.path}`);
  const { backing } = await diskInfo(path, 'qcow2', signal);
  if (backing)
    fail('VOLUME_UNREADABLE', `the disk ${path} stands on ${backing.path}: a data disk stands on nothing`);
  return { ...disk, path };
}
