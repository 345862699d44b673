import type { AgentMethods, Handlers } from '@millrace/agent-protocol';
import { type Logger, sleep } from '@millrace/core';
import { fail } from '../../../agent/src/failure.ts';
import { vmLane } from '../../../agent/src/handlers/vm-lane.ts';
import type { Lanes } from '../../../agent/src/lanes.ts';
import { powerOn } from '../host/boot.ts';
import { requireFile } from '../host/pool.ts';
import { define, type HostState, poolOf, powerOff, stateOf } from '../host/world.ts';

type Methods =
  | 'vm.start'
  | 'vm.stop'
  | 'vm.reboot'
  | 'vm.remove'
  | 'vm.state'
  | 'vm.cdrom'
  | 'vm.console'
  | 'network.remove';

interface Deps {
  readonly host: HostState;
  readonly lanes: Lanes;
  readonly log: Logger;
}

const startMs = 400;
const shutDownMs = 1500;

/** Virtual machines: started, stopped, looked at, forgotten. */
export function makeMachineHandlers({ host, lanes, log }: Deps): Pick<Handlers<AgentMethods>, Methods> {
  const { speed } = host.world;
  const faultsOfDisk = (machine: { readonly spec: Parameters<typeof define>[1] }) => {
    const pool = poolOf(host, machine.spec.pool);
    return requireFile(pool, machine.spec.rootDisk.path, 'VOLUME_MISSING').faults;
  };
  return {
    'vm.start': ({ vm }, { signal }) =>
      lanes.run(vmLane(vm.uuid), signal, async () => {
        if (stateOf(host, vm) === 'Running') return { state: 'Running', startedNow: false, startMs: 0 };
        const pool = poolOf(host, vm.pool);
        const root = requireFile(pool, vm.rootDisk.path, 'VOLUME_MISSING');
        if (root.backing !== undefined) requireFile(pool, root.backing, 'TEMPLATE_MISSING');
        if (vm.cdrom) requireFile(pool, vm.cdrom.path, 'TEMPLATE_MISSING');
        for (const disk of vm.dataDisks ?? []) requireFile(pool, disk.path, 'VOLUME_MISSING');
        const machine = define(host, vm);
        await sleep(startMs / speed, signal);
        if (host.faults.startRefused || root.faults.has('start-refused'))
          fail('LIBVIRT_FAILED', `the simulated host ${host.name} was told to refuse every start`);
        powerOn(host, machine, root.faults, log);
        return { state: 'Running', startedNow: true, startMs: Math.round(startMs / speed) };
      }),

    'vm.stop': ({ vm, forced }, { signal }) =>
      lanes.run(vmLane(vm.uuid), signal, async () => {
        const machine = host.machines.get(vm.uuid);
        if (!machine || machine.state === 'Stopped')
          return { state: stateOf(host, vm), forcedAfterTimeout: false };
        if (!forced) {
          machine.console.print('\r\nPower button pressed\r\n');
          await sleep(shutDownMs / speed, signal);
        }
        powerOff(host, machine, 'stopped');
        return { state: 'Stopped', forcedAfterTimeout: false };
      }),

    'vm.reboot': ({ vm, forced }, { signal }) =>
      lanes.run(vmLane(vm.uuid), signal, async () => {
        const machine = host.machines.get(vm.uuid);
        if (!machine)
          return fail(
            'VM_MISSING',
            `${host.name} does not know ${vm.instanceName}: start it instead of rebooting it`,
          );
        if (!forced) await sleep(shutDownMs / speed, signal);
        machine.life.abort(new Error('rebooted'));
        powerOn(host, machine, faultsOfDisk(machine), log);
        return { state: 'Running' };
      }),

    'vm.remove': ({ vm }, { signal }) =>
      lanes.run(vmLane(vm.uuid), signal, async () => {
        const machine = host.machines.get(vm.uuid);
        if (machine) powerOff(host, machine, 'removed');
        host.machines.delete(vm.uuid);
        host.changed();
        return {};
      }),

    'vm.state': async ({ vm }) => ({ state: stateOf(host, vm) }),

    'vm.cdrom': ({ vm, pool, path }, { signal }) =>
      lanes.run(vmLane(vm.uuid), signal, async () => {
        const state = stateOf(host, vm);
        if (state !== 'Running') return { state };
        if (path !== undefined) requireFile(poolOf(host, pool), path, 'TEMPLATE_MISSING');
        host.machines
          .get(vm.uuid)
          ?.console.print(path === undefined ? '\r\ncdrom empty\r\n' : `\r\ncdrom ${path}\r\n`);
        return { state };
      }),

    'vm.console': async ({ vm, offset, limit }) => {
      const read = host.machines.get(vm.uuid)?.console.read(offset, limit);
      return { data: read?.data.toString('base64') ?? '', nextOffset: read?.nextOffset ?? 0 };
    },

    // simulated guests need no network of the host
    'network.remove': async () => ({}),
  };
}
