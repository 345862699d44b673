import { randomUUID } from 'node:crypto';
import { describeError } from '@millrace/core';
import { updateSpaceOf } from '../store/shared-pools.ts';
import { callHost } from './agent-call.ts';
import type { Attempt } from './host-steps.ts';
import { poolReferenceOf } from './records.ts';

/**
 * Asks for the space that every pool of the instance's zone has now, each by one of its connected hosts, and keeps the
 * answers. A pool whose host does not answer keeps what was reported last.
 * @returns whether any host answered
 */
export async function refreshPoolSpace({ deps, context, record }: Attempt): Promise<boolean> {
  const links = await context.read((database) =>
    database
      .selectFrom('storage_pool')
      .innerJoin('storage_pool_host_ref', 'storage_pool_host_ref.pool_id', 'storage_pool.id')
      .selectAll('storage_pool')
      .select(['storage_pool_host_ref.host_id', 'storage_pool_host_ref.local_path'])
      .where('storage_pool.data_center_id', '=', record.vm.data_center_id)
      .where('storage_pool.removed', 'is', null)
      .orderBy('storage_pool_host_ref.host_id')
      .execute(),
  );
  const connected = links.filter((link) => deps.agents.isConnected(link.host_id));
  const pools = [...new Map(connected.map((link) => [link.id, link])).values()];
  const answers = await Promise.all(
    pools.map(async (pool) => {
      try {
        const space = await callHost(deps.agents, {
          hostId: pool.host_id,
          method: 'pool.stats',
          params: { pool: poolReferenceOf(pool) },
          // a question, not a deed: asked again it must be answered anew
          operationId: `pool-space-${randomUUID()}`,
          signal: context.signal,
          reconnectMs: 0,
        });
        await context.write((trx) => updateSpaceOf(trx, pool.id, space));
        return true;
      } catch (error) {
        context.signal.throwIfAborted();
        context.log.warn(
          { host: pool.host_id, pool: pool.name, error: describeError(error) },
          'the host does not tell the free space of the pool',
        );
        return false;
      }
    }),
  );
  return answers.includes(true);
}
