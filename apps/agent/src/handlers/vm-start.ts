import { dirname } from 'node:path';
import type { VmSpec } from '@millrace/agent-protocol';
import type { Logger } from '@millrace/core';
import type { ConfigDrives } from '../config-drive/config-drives.ts';
import { fail } from '../failure.ts';
import type { Holds } from '../fencing/holds.ts';
import { shutOutRbdClients } from '../fencing/rbd-clients.ts';
import { giveCephSecret } from '../hypervisor/ceph-secret.ts';
import type { ConsoleLogs } from '../hypervisor/console-log.ts';
import { withDefinitionFile } from '../hypervisor/definition-file.ts';
import { type DomainOptions, domainXml } from '../hypervisor/domain-xml.ts';
import { domainState } from '../hypervisor/domains.ts';
import type { Networks } from '../hypervisor/networks.ts';
import { rbdSourceOf } from '../hypervisor/rbd-disk.ts';
import { unless, type Virsh, VirshFailure } from '../hypervisor/virsh.ts';
import type { Lanes } from '../lanes.ts';
import { diskInfo } from '../qemu-img/qemu-img.ts';
import { pathInPool, requirePool, statOrUndefined } from '../storage/pool.ts';
import type { Handler } from './handler.ts';
import { isoIn } from './vm-cdrom.ts';
import { vmLane } from './vm-lane.ts';
import { dataDiskOf } from './volume-attach.ts';

export interface VmStartDeps {
  readonly virsh: Virsh;
  readonly networks: Networks;
  readonly consoleLogs: ConsoleLogs;
  readonly configDrives: ConfigDrives;
  readonly holds: Pick<Holds, 'hold'>;
  readonly lanes: Lanes;
  readonly virtType: 'kvm' | 'qemu';
  readonly log: Logger;
}

/**
 * Starts a VM: networks and address beside the definition (always anew, so that it says what the server says now), then
 * the start. A VM that runs is left alone. `startMs` is the time libvirt took for the start itself.
 */
export function makeVmStart(deps: VmStartDeps): Handler<'vm.start'> {
  const { virsh, networks, consoleLogs, configDrives, holds, lanes, log } = deps;
  return ({ vm }, { signal }) =>
    lanes.run(vmLane(vm.uuid), signal, async () => {
      // before it can run, and also when it does: the server counts on what it asked for last
      await holds.hold(vm, signal);
      if ((await domainState(virsh, vm.uuid, signal)) === 'Running')
        return { state: 'Running', startedNow: false, startMs: 0 };

      const prepareDefinition = async () => {
        if (vm.pool.type === 'RBD') await giveCephSecret(virsh, vm.pool, signal);
        const disk = await rootDiskOf(vm, signal);
        const cdrom = vm.cdrom && {
          ...(await isoIn(virsh, vm.pool, vm.cdrom.path, signal)),
          bootFirst: vm.cdrom.bootFirst,
        };
        const dataDisks = await Promise.all(
          (vm.dataDisks ?? []).map((data) => dataDiskOf(vm.pool, data, signal)),
        );
        await consoleLogs.ensureDirectory();
        const consoleLogPath = consoleLogs.pathOf(vm.instanceName);
        const configDrivePath = await configDrives.place(vm, signal);
        const options = { disk, dataDisks, cdrom, virtType: deps.virtType, consoleLogPath, configDrivePath };
        await define(virsh, vm, options, signal);
      };
      // libvirt may not know it yet when the network is there already
      using _ = networks.keep(vm.nics.map(({ network }) => network.name));
      const prepareCards = () => prepareNetworks(networks, vm, signal);
      // both to their end, whatever becomes of the other: nothing of this start may happen after its lane is free again
      const prepared = await Promise.allSettled([prepareDefinition(), prepareCards()]);
      for (const outcome of prepared) if (outcome.status === 'rejected') throw outcome.reason;
      await shutOthersOut(vm, log, signal);

      const begun = performance.now();
      const started = await unless(
        'domain-running',
        virsh(['start', vm.uuid], { signal }).then(() => true),
      );
      const startMs = Math.round(performance.now() - begun);
      log.info({ vm: vm.uuid, name: vm.instanceName, startMs }, 'virtual machine started');
      return { state: 'Running', startedNow: started === true, startMs };
    });
}

/**
 * An instance that may have run on a host that was lost since: whatever still has its disks open there writes no more. Ceph
 * can see to that, other storage cannot.
 */
async function shutOthersOut(
  { pool, ha, rootDisk, dataDisks = [] }: VmSpec,
  log: Logger,
  signal: AbortSignal,
) {
  if (ha === undefined || pool.type !== 'RBD') return;
  await shutOutRbdClients(pool, [rootDisk.path, ...dataDisks.map(({ path }) => path)], { log, signal });
}

/** The networks of a VM's cards, each with the card's address. */
export async function prepareNetworks(networks: Networks, vm: VmSpec, signal: AbortSignal): Promise<void> {
  for (const { mac, ip, network } of vm.nics) {
    const card = ip === undefined ? undefined : { mac, ip, name: vm.hostName };
    await networks.prepare(network, card, signal);
  }
}

/**
 * The root disk with what it stands on. The overlay's header was written by the agent and a guest cannot change it;
 * that it names a file of the same pool is checked all the same, since QEMU opens what it names.
 */
async function rootDiskOf(vm: VmSpec, signal: AbortSignal): Promise<DomainOptions['disk']> {
  if (vm.pool.type === 'RBD') {
    const rbd = await rbdSourceOf(vm.pool, vm.rootDisk.path, 'VOLUME_MISSING', signal);
    return { rbd, serial: vm.rootDisk.serial };
  }
  await requirePool(vm.pool);
  const path = pathInPool(vm.pool, vm.rootDisk.path);
  if (!(await statOrUndefined(path)))
    fail(
      'VOLUME_MISSING',
      `the root disk ${vm.rootDisk.path} of ${vm.instanceName} is not in ${vm.pool.path}`,
    );
  const { backing } = await diskInfo(path, vm.rootDisk.format, signal);
  if (!backing) return { path, serial: vm.rootDisk.serial, backing: undefined };
  const { format } = backing;
  if (dirname(backing.path) !== dirname(path) || (format !== 'qcow2' && format !== 'raw'))
    fail(
      'VOLUME_UNREADABLE',
      `the root disk ${path} stands on ${backing.path} (${format}), which is no template of its pool`,
    );
  if (!(await statOrUndefined(backing.path)))
    fail('TEMPLATE_MISSING', `the template ${backing.path} of the root disk ${path} is gone`);
  return { path, serial: vm.rootDisk.serial, backing: { path: backing.path, format } };
}

async function define(
  virsh: Virsh,
  vm: VmSpec,
  options: Parameters<typeof domainXml>[1],
  signal: AbortSignal,
) {
  try {
    await withDefinitionFile(domainXml(vm, options), (path) => virsh(['define', path], { signal }));
  } catch (error) {
    if (error instanceof VirshFailure && error.problem === 'exists')
      fail(
        'VM_NAME_TAKEN',
        `another domain of this host is named ${vm.instanceName}: ${error.message}`,
        error,
      );
    throw error;
  }
}
