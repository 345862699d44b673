import type { Handlers } from '@millrace/agent-protocol';
import type { Logger } from '@millrace/core';
import type { ConfigDrives } from '../config-drive/config-drives.ts';
import type { Holds } from '../fencing/holds.ts';
import type { ConsoleLogs } from '../hypervisor/console-log.ts';
import { makeNetworks } from '../hypervisor/networks.ts';
import type { Virsh } from '../hypervisor/virsh.ts';
import type { ImageServer } from '../image-server/image-server.ts';
import type { Lanes } from '../lanes.ts';
import type { Watch } from '../reconcile/watch.ts';
import type { ImageEngine } from '../storage/image-engine.ts';
import type { PoolAccess } from '../storage/pool-access.ts';
import type { HostTransfers } from '../storage/transfers.ts';
import { byPoolType } from './by-pool-type.ts';
import { makeChecksumFind } from './checksum-find.ts';
import type { SharedMethods } from './handler.ts';
import { makeImageProbe } from './image-probe.ts';
import { makeImageServe } from './image-serve.ts';
import { makeNetworkRemove } from './network-remove.ts';
import { onlyInOwnPools } from './own-pools.ts';
import { makePoolAttach, makePoolDetach } from './pool-attach.ts';
import { makePoolClean } from './pool-clean.ts';
import { makePoolLeaseWatch } from './pool-lease-watch.ts';
import { makePoolStats } from './pool-stats.ts';
import { makeRbdPoolClean } from './rbd-pool-clean.ts';
import { makeRbdTemplateCheck } from './rbd-template-check.ts';
import { makeRbdTemplatePrepare } from './rbd-template-prepare.ts';
import { makeRbdTemplateRemove } from './rbd-template-remove.ts';
import { makeRbdVolumeCreate } from './rbd-volume-create.ts';
import { makeRbdVolumeRemove } from './rbd-volume-remove.ts';
import { makeRbdVolumeResize } from './rbd-volume-resize.ts';
import { makeTemplateCheck } from './template-check.ts';
import { makeTemplateDigest } from './template-digest.ts';
import { makeTemplatePrepare } from './template-prepare.ts';
import { makeTemplateRemove } from './template-remove.ts';
import { makeVmCdrom } from './vm-cdrom.ts';
import { makeVmConsole } from './vm-console.ts';
import { makeVmMigrate } from './vm-migrate.ts';
import { makeVmReboot } from './vm-reboot.ts';
import { makeVmRemove } from './vm-remove.ts';
import { makeVmStart } from './vm-start.ts';
import { makeVmState } from './vm-state.ts';
import { makeVmStop } from './vm-stop.ts';
import { makeVolumeAttach, makeVolumeDetach } from './volume-attach.ts';
import { makeVolumeCreate } from './volume-create.ts';
import { makeVolumeRemove } from './volume-remove.ts';
import { makeVolumeResize } from './volume-resize.ts';

export interface HandlerDeps {
  readonly virsh: Virsh;
  readonly subscribe: Watch['subscribe'];
  readonly consoleLogs: ConsoleLogs;
  readonly configDrives: ConfigDrives;
  readonly holds: Holds;
  readonly engine: () => Promise<ImageEngine>;
  readonly transfers: HostTransfers;
  readonly virtType: 'kvm' | 'qemu';
  readonly lanes: Lanes;
  /** The only directories in which the server may do anything. */
  readonly pools: PoolAccess;
  readonly imageServer: () => ImageServer | undefined;
  readonly log: Logger;
}

/** Everything that any server can ask of this host. */
export function makeHandlers(given: HandlerDeps): Handlers<SharedMethods> {
  const { pools } = given;
  const deps = {
    ...given,
    networks: makeNetworks(given),
    transfers: given.transfers.use,
  };
  const handlers: Handlers<SharedMethods> = {
    'checksum.find': makeChecksumFind(deps),
    'image.probe': makeImageProbe(deps),
    'template.prepare': makeTemplatePrepare(deps),
    'template.check': makeTemplateCheck(),
    'template.remove': makeTemplateRemove(deps),
    'template.digest': makeTemplateDigest(),
    'image.serve': makeImageServe(deps),
    'volume.create': makeVolumeCreate(deps),
    'volume.attach': makeVolumeAttach(deps),
    'volume.detach': makeVolumeDetach(deps),
    'volume.resize': makeVolumeResize(deps),
    'volume.remove': makeVolumeRemove(deps),
    'network.remove': makeNetworkRemove(deps),
    'vm.start': makeVmStart(deps),
    'vm.stop': makeVmStop(deps),
    'vm.reboot': makeVmReboot(deps),
    'vm.remove': makeVmRemove(deps),
    'vm.state': makeVmState(deps),
    'vm.cdrom': makeVmCdrom(deps),
    ...makeVmMigrate(deps),
    'vm.console': makeVmConsole(deps),
    'pool.attach': makePoolAttach(deps),
    'pool.detach': makePoolDetach(deps),
    'pool.lease.watch': makePoolLeaseWatch(),
    'pool.clean': makePoolClean(deps),
    'pool.stats': makePoolStats(),
  };
  const onRbd = {
    'template.prepare': makeRbdTemplatePrepare(deps),
    'template.check': makeRbdTemplateCheck(),
    'template.remove': makeRbdTemplateRemove(deps),
    'volume.create': makeRbdVolumeCreate(deps),
    'volume.resize': makeRbdVolumeResize(deps),
    'volume.remove': makeRbdVolumeRemove(deps),
    'pool.clean': makeRbdPoolClean(),
  };
  return onlyInOwnPools(pools, byPoolType(handlers, onRbd));
}
