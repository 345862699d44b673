import type { PoolReference, VmReference, VmSpec } from '@millrace/agent-protocol';
import { fail } from '../../../agent/src/failure.ts';
import type { HostFaults } from '../faults/host-faults.ts';
import { type Machine, makeMachine } from './machine.ts';
import { makePool, type SimulatedPool } from './pool.ts';

/** What the simulated hosts of one process have in common. */
export interface World {
  /** How many times faster than a real host everything goes. */
  readonly speed: number;
  /** Pools that several hosts have, by UUID. */
  readonly sharedPools: Map<string, SimulatedPool>;
  /** Every host that has joined, by the UUID that the server gave it. */
  readonly hosts: Map<string, HostState>;
  /** Moves under way, by session: where a machine will arrive. */
  readonly arrivals: Map<string, { readonly secret: string; readonly arrive: (machine: Machine) => void }>;
}

export function makeWorld(speed: number): World {
  return { speed, sharedPools: new Map(), hosts: new Map(), arrivals: new Map() };
}

/** Everything that a simulated host holds. It is the hypervisor and the disks: the session in front of it is the agent's own. */
export interface HostState {
  readonly name: string;
  readonly number: number;
  readonly localPool: SimulatedPool;
  readonly machines: Map<string, Machine>;
  readonly world: World;
  faults: HostFaults;
  /** A machine changed its state: it has to be told. */
  changed: () => void;
}

const localPoolBytes = 500e9;
const sharedPoolBytes = 20e12;
export const localPoolPath = '/var/lib/millrace/pool';

export function makeHostState(world: World, name: string, number: number): HostState {
  return {
    name,
    number,
    localPool: makePool(localPoolPath, localPoolBytes),
    machines: new Map(),
    world,
    faults: {},
    changed: () => {},
  };
}

/** @throws AgentFailure `POOL_UNAVAILABLE` */
export function poolOf(host: HostState, { type, uuid, path }: PoolReference): SimulatedPool {
  if (type === 'Filesystem') {
    if (path === host.localPool.path) return host.localPool;
    return fail('POOL_UNAVAILABLE', `${path} is no pool of this host: it has ${host.localPool.path}`);
  }
  const known = host.world.sharedPools.get(uuid);
  if (known) return known;
  const made = makePool(type === 'RBD' ? path : `/run/millrace/mounts/${uuid}`, sharedPoolBytes);
  host.world.sharedPools.set(uuid, made);
  return made;
}

/** The machine of a definition, defined anew when it is known. */
export function define(host: HostState, spec: VmSpec): Machine {
  const named = [...host.machines.values()].find(
    (other) => other.spec.instanceName === spec.instanceName && other.spec.uuid !== spec.uuid,
  );
  if (named) fail('VM_NAME_TAKEN', `another domain of this host is named ${spec.instanceName}`);
  const known = host.machines.get(spec.uuid);
  const machine = known ?? makeMachine(spec);
  // secrets are the guest's alone: a start hands them over, nothing keeps them
  const { configDrive: _, ...kept } = spec;
  machine.spec = kept;
  host.machines.set(spec.uuid, machine);
  return machine;
}

export function stateOf(host: HostState, { uuid }: Pick<VmReference, 'uuid'>) {
  return host.machines.get(uuid)?.state ?? 'Missing';
}

/** Switches a machine off, whoever wanted that. */
export function powerOff(host: HostState, machine: Machine, why: string): void {
  machine.life.abort(new Error(why));
  machine.state = 'Stopped';
  host.changed();
}
