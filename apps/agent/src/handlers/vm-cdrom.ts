import type { PoolReference } from '@millrace/agent-protocol';
import { fail } from '../failure.ts';
import { giveCephSecret } from '../hypervisor/ceph-secret.ts';
import { withDefinitionFile } from '../hypervisor/definition-file.ts';
import { cdromXml, type DiskPlace } from '../hypervisor/domain-xml.ts';
import { domainState } from '../hypervisor/domains.ts';
import { rbdSourceOf } from '../hypervisor/rbd-disk.ts';
import { unless, type Virsh, VirshFailure } from '../hypervisor/virsh.ts';
import type { Lanes } from '../lanes.ts';
import { imagePathIn } from '../storage/pool.ts';
import type { Handler } from './handler.ts';
import { vmLane } from './vm-lane.ts';

/** Puts an ISO into the drive of a running VM, or takes it out. Asked again it does the same again, which is nothing. */
export function makeVmCdrom(deps: { readonly virsh: Virsh; readonly lanes: Lanes }): Handler<'vm.cdrom'> {
  const { virsh } = deps;
  return ({ vm, pool, path, forced }, { signal }) =>
    deps.lanes.run(vmLane(vm.uuid), signal, async () => {
      const state = await domainState(virsh, vm.uuid, signal);
      if (state !== 'Running') return { state };
      const iso = path === undefined ? undefined : await isoIn(virsh, pool, path, signal);
      const update = (file: string) =>
        virsh(['update-device', vm.uuid, file, '--live', ...(forced ? ['--force'] : [])], { signal });
      try {
        await unless('domain-not-running', withDefinitionFile(cdromXml(iso).xml, update));
      } catch (error) {
        if (error instanceof VirshFailure && error.problem === 'tray-locked')
          fail(
            'CDROM_LOCKED',
            `the guest ${vm.instanceName} has locked its CD-ROM drive: unmount the disc there, or use forced=true`,
            error,
            'stop',
          );
        throw error;
      }
      return { state: await domainState(virsh, vm.uuid, signal) };
    });
}

/** Where an ISO is, which must be there. */
export async function isoIn(
  virsh: Virsh,
  pool: PoolReference,
  path: string,
  signal: AbortSignal,
): Promise<DiskPlace> {
  if (pool.type !== 'RBD') return { path: await imagePathIn(pool, path) };
  await giveCephSecret(virsh, pool, signal);
  return { rbd: await rbdSourceOf(pool, path, 'TEMPLATE_MISSING', signal) };
}
