import { randomUUID } from 'node:crypto';
import { describeError } from '@millrace/core';
import { attachPool } from '../agents/attach-pool.ts';
import { missingPoolLinks, sharedPoolReference, updateSpaceOf } from '../store/shared-pools.ts';
import { callHost } from './agent-call.ts';
import { connectedHostOf, type TemplateCopyDeps } from './template-copies.ts';

/**
 * Brings shared pools to the hosts that have none of them yet: those that joined, or came back, after a pool was made.
 * What a host cannot do now is tried again with the next round.
 */
export async function attachMissingPools(deps: TemplateCopyDeps): Promise<void> {
  for (const { host_id, host_name, ...pool } of await missingPoolLinks(deps.database)) {
    if (!deps.agents.isConnected(host_id)) continue;
    try {
      await attachPool(deps, pool, { id: host_id, first: false });
      deps.log.info({ host: host_name, pool: pool.name }, 'the host reaches the storage pool');
    } catch (error) {
      if (deps.signal.aborted) throw error;
      deps.log.warn(
        { host: host_name, pool: pool.name, reason: describeError(error) },
        'the host does not reach the storage pool',
      );
    }
  }
}

/** Asks for the space of every shared pool, each by one of its hosts. */
export async function measureSharedPools(deps: TemplateCopyDeps): Promise<void> {
  const pools = await deps.database
    .selectFrom('data_store')
    .selectAll()
    .where('scope', '!=', 'HOST')
    .where('removed', 'is', null)
    .execute();
  for (const pool of pools) {
    const hostId = await connectedHostOf(deps, pool.id);
    const reference = sharedPoolReference(pool);
    if (hostId === undefined || !reference) continue;
    try {
      const space = await callHost(deps.agents, {
        hostId,
        method: 'pool.stats',
        params: { pool: reference },
        operationId: `pool-space-${randomUUID()}`,
        signal: deps.signal,
        reconnectMs: 0,
      });
      await updateSpaceOf(deps.database, pool.id, space);
    } catch (error) {
      if (deps.signal.aborted) throw error;
      deps.log.warn({ pool: pool.name, reason: describeError(error) }, 'the pool cannot be measured');
    }
  }
}
