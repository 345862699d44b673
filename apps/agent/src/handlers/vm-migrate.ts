import type { AgentMethods, Handlers } from '@millrace/agent-protocol';
import type { Logger } from '@millrace/core';
import type { ConfigDrives } from '../config-drive/config-drives.ts';
import { fail } from '../failure.ts';
import type { Holds } from '../fencing/holds.ts';
import { giveCephSecret } from '../hypervisor/ceph-secret.ts';
import type { ConsoleLogs } from '../hypervisor/console-log.ts';
import { domainState } from '../hypervisor/domains.ts';
import { type Networks, networkCardsOf } from '../hypervisor/networks.ts';
import { unless, type Virsh } from '../hypervisor/virsh.ts';
import type { Lanes } from '../lanes.ts';
import { migrationPaths, openSource, openTarget, type Tunnel } from '../migration/tunnel.ts';
import { vmLane } from './vm-lane.ts';
import { prepareNetworks } from './vm-start.ts';

export interface VmMigrateDeps {
  readonly virsh: Virsh;
  readonly networks: Networks;
  readonly consoleLogs: ConsoleLogs;
  readonly configDrives: ConfigDrives;
  readonly holds: Holds;
  readonly lanes: Lanes;
  readonly log: Logger;
}

type MigrateHandlers = Pick<
  Handlers<AgentMethods>,
  'vm.migrate.expect' | 'vm.migrate.send' | 'vm.migrate.end'
>;

/** A VM that is to come: the way it comes, and its networks, which stay until it is here. */
interface Expected {
  readonly tunnel: Tunnel;
  readonly timer: NodeJS.Timeout;
  readonly kept: Disposable;
}

const libvirtSocket = '/run/libvirt/libvirt-sock';
/** A guest that changes its memory faster than the network takes it is slowed down, and ends in this time or not at all. */
const moveWithinMs = 30 * 60_000;
/** Nobody leaves a tunnel open for ever: the server may be gone. */
const tunnelLifetimeMs = moveWithinMs + 60_000;

/** Moves running VMs between hosts that share their disks, through a tunnel of the two agents (see tunnel.ts). */
export function makeVmMigrate(deps: VmMigrateDeps): MigrateHandlers {
  const { virsh, networks, consoleLogs, configDrives, holds, lanes, log } = deps;
  const tunnels = new Map<string, Expected>();

  const endTunnel = async (session: string) => {
    const open = tunnels.get(session);
    if (!open) return;
    tunnels.delete(session);
    clearTimeout(open.timer);
    using _ = open.kept;
    await open.tunnel[Symbol.asyncDispose]();
  };

  return {
    'vm.migrate.expect': ({ vm, move }, { signal }) =>
      lanes.run(vmLane(vm.uuid), signal, async () => {
        await holds.hold(vm, signal);
        const state = await domainState(virsh, vm.uuid, signal);
        if (state === 'Running') return { state, port: 0, poolPath: vm.pool.path };
        // the definition that comes names the key by the UUID it has on every host
        if (vm.pool.type === 'RBD') await giveCephSecret(virsh, vm.pool, signal);
        await consoleLogs.ensureDirectory();
        using keeping = new DisposableStack();
        keeping.use(networks.keep(vm.nics.map(({ network }) => network.name)));
        await prepareNetworks(networks, vm, signal);
        // the definition that comes names it by the path it has on every host
        await configDrives.place(vm, signal);
        await endTunnel(move.session);
        const paths = migrationPaths(move.session);
        const tunnel = await openTarget({ paths, secret: move.secret, libvirtSocket });
        const kept = keeping.move();
        const timer = setTimeout(() => void endTunnel(move.session).catch(() => {}), tunnelLifetimeMs);
        timer.unref();
        tunnels.set(move.session, { tunnel, timer, kept });
        return { state, port: tunnel.port, poolPath: vm.pool.path };
      }),

    'vm.migrate.send': ({ vm, pool, move, address, port, poolPath }, { signal }) =>
      lanes.run(vmLane(vm.uuid), signal, async () => {
        const before = await domainState(virsh, vm.uuid, signal);
        if (before !== 'Running') return { state: before, moveMs: 0 };
        if (pool.path !== poolPath)
          fail(
            'MIGRATION_FAILED',
            `the storage pool is ${pool.path} here and ${poolPath} on the other host: it must be the same (MILLRACE_MOUNT_DIR)`,
          );
        const cards = networkCardsOf(await virsh(['dumpxml', '--inactive', vm.uuid], { signal }));
        const paths = migrationPaths(move.session);
        await using _ = await openSource({ paths, secret: move.secret, address, port });
        const begun = performance.now();
        // aborted, virsh is ended and libvirt cancels the move; the VM then runs here still
        await unless(
          'domain-not-running',
          virsh(
            [
              'migrate',
              '--live',
              '--p2p',
              '--persistent',
              '--undefinesource',
              '--auto-converge',
              // its disks are on a pool of both hosts, which libvirt cannot know
              '--unsafe',
              vm.uuid,
              '--desturi',
              `qemu+unix:///system?socket=${paths.libvirt}`,
              '--migrateuri',
              `unix://${paths.memory}`,
            ],
            { signal, withinMs: moveWithinMs },
          ),
        );
        const moveMs = Math.round(performance.now() - begun);
        const state = await domainState(virsh, vm.uuid, signal);
        if (state !== 'Running') {
          await configDrives.remove(vm.uuid);
          await holds.release(vm.uuid);
          for (const { network } of cards) await networks.release(network, vm.uuid, signal);
        }
        log.info({ vm: vm.uuid, name: vm.instanceName, moveMs }, 'virtual machine moved to another host');
        return { state, moveMs };
      }),

    'vm.migrate.end': async ({ move }) => {
      await endTunnel(move.session);
      return {};
    },
  };
}
