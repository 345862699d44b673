import type { AgentMethods, Handlers } from '@millrace/agent-protocol';
import { sleep } from '@millrace/core';
import { spaceOf } from '../host/pool.ts';
import { type HostState, poolOf, powerOff } from '../host/world.ts';

type Methods = 'pool.attach' | 'pool.detach' | 'pool.clean' | 'pool.lease.watch' | 'pool.stats';

/** Pools themselves. */
export function makePoolHandlers(host: HostState): Pick<Handlers<AgentMethods>, Methods> {
  return {
    'pool.attach': async ({ pool: reference }) => {
      const pool = poolOf(host, reference);
      return { localPath: pool.path, ...spaceOf(pool) };
    },
    'pool.detach': async ({ pool, last }) => {
      if (last && pool.type !== 'Filesystem') host.world.sharedPools.delete(pool.uuid);
      return {};
    },
    // an interrupted transfer leaves nothing here
    'pool.clean': async () => ({ removed: [] }),
    // nobody writes leases here: a host is silent when it is down, and one that is told to go does so at once
    'pool.lease.watch': async ({ hostUuid, seconds, evict }, { signal }) => {
      await sleep((seconds * 1000) / host.world.speed, signal);
      const watched = host.world.hosts.get(hostUuid);
      if (!watched || watched.faults.down) return { outcome: 'silent' };
      if (!evict) return { outcome: 'renewed' };
      for (const machine of watched.machines.values())
        if (machine.spec.ha && machine.state === 'Running') powerOff(watched, machine, 'evicted');
      return { outcome: 'released' };
    },
    'pool.stats': async ({ pool }) => spaceOf(poolOf(host, pool)),
  };
}
