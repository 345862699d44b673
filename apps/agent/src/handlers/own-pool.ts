import { resolve } from 'node:path';
import type { AgentMethods, Handlers, PoolReference } from '@millrace/agent-protocol';
import { fail } from '../failure.ts';

/**
 * Lets the server work in the pool of this host and nowhere else: which directory that is, the operator of the host
 * decides. The agent is root, so without this a server that was taken over could remove or replace any file.
 * @throws AgentFailure `POOL_UNAVAILABLE`, from the handlers
 */
export function onlyInPool(
  poolPath: string | undefined,
  handlers: Handlers<AgentMethods>,
): Handlers<AgentMethods> {
  const guarded = Object.entries(handlers).map(([method, handler]) => [
    method,
    async (params: object, context: never) => {
      const pool = poolOf(params);
      if (pool && (poolPath === undefined || resolve(pool.path) !== resolve(poolPath)))
        fail(
          'POOL_UNAVAILABLE',
          `${pool.path} is not the storage pool of this host: set MILLRACE_POOL_PATH of its agent if it should be`,
        );
      return handler(params as never, context);
    },
  ]);
  return Object.fromEntries(guarded) as Handlers<AgentMethods>;
}

/** Every message that concerns a pool names it in one of these two places. */
function poolOf(params: { readonly pool?: PoolReference; readonly vm?: { readonly pool?: PoolReference } }) {
  return params.pool ?? params.vm?.pool;
}
