import type { AgentMethods, Handlers } from '@millrace/agent-protocol';
import { sleep } from '@millrace/core';
import { fail } from '../../../agent/src/failure.ts';
import { vmLane } from '../../../agent/src/handlers/vm-lane.ts';
import type { Lanes } from '../../../agent/src/lanes.ts';
import { type HostState, poolOf, stateOf } from '../host/world.ts';

type Methods = 'vm.migrate.expect' | 'vm.migrate.send' | 'vm.migrate.end';

const moveMs = 1500;
/** Nothing listens: hosts of one process hand a machine over as a value. Real ones name the port of their tunnel. */
const noPort = 1;

/** Moves running machines between simulated hosts. */
export function makeMigrateHandlers(host: HostState, lanes: Lanes): Pick<Handlers<AgentMethods>, Methods> {
  const { arrivals, speed } = host.world;
  return {
    'vm.migrate.expect': async ({ vm, move }) => {
      const state = stateOf(host, vm);
      const poolPath = poolOf(host, vm.pool).path;
      if (state === 'Running') return { state, port: 0, poolPath };
      arrivals.set(move.session, {
        secret: move.secret,
        arrive: (machine) => {
          // what was to happen to it was to happen at the other host
          machine.life.abort(new Error('moved'));
          machine.life = new AbortController();
          host.machines.set(vm.uuid, machine);
          host.changed();
        },
      });
      return { state, port: noPort, poolPath };
    },

    'vm.migrate.send': ({ vm, move }, { signal }) =>
      lanes.run(vmLane(vm.uuid), signal, async () => {
        const machine = host.machines.get(vm.uuid);
        if (machine?.state !== 'Running') return { state: stateOf(host, vm), moveMs: 0 };
        await sleep(moveMs / speed, signal);
        const arrival = arrivals.get(move.session);
        if (arrival?.secret !== move.secret)
          return fail('MIGRATION_FAILED', 'the other host does not expect this machine');
        host.machines.delete(vm.uuid);
        host.changed();
        arrival.arrive(machine);
        return { state: 'Missing', moveMs: Math.round(moveMs / speed) };
      }),

    'vm.migrate.end': async ({ move }) => {
      arrivals.delete(move.session);
      return {};
    },
  };
}
