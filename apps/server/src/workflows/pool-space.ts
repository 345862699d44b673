import { randomUUID } from 'node:crypto';
import { describeError } from '@millrace/core';
import { updatePoolSpace } from '../store/host-reports.ts';
import { callHost } from './agent-call.ts';
import type { Attempt } from './host-steps.ts';

/**
 * Asks every connected host of the instance's zone how much space its local pool has now, and keeps the answers. A host
 * that does not answer keeps what it reported last.
 * @returns whether any host answered
 */
export async function refreshPoolSpace({ deps, context, record }: Attempt): Promise<boolean> {
  const pools = await context.read((database) =>
    database
      .selectFrom('storage_pool')
      .innerJoin('storage_pool_host_ref', 'storage_pool_host_ref.pool_id', 'storage_pool.id')
      .select(['storage_pool.uuid', 'storage_pool.path', 'storage_pool_host_ref.host_id'])
      .where('storage_pool.data_center_id', '=', record.vm.data_center_id)
      .where('storage_pool.scope', '=', 'HOST')
      .where('storage_pool.pool_type', '=', 'Filesystem')
      .where('storage_pool.removed', 'is', null)
      .execute(),
  );
  const connected = pools.filter((pool) => deps.agents.isConnected(pool.host_id));
  const answers = await Promise.all(
    connected.map(async ({ uuid, path, host_id: hostId }) => {
      try {
        const space = await callHost(deps.agents, {
          hostId,
          method: 'pool.stats',
          params: { pool: { uuid, type: 'Filesystem', path } },
          // a question, not a deed: asked again it must be answered anew
          operationId: `pool-space-${randomUUID()}`,
          signal: context.signal,
          reconnectMs: 0,
        });
        await context.write((trx) => updatePoolSpace(trx, hostId, space));
        return true;
      } catch (error) {
        context.signal.throwIfAborted();
        context.log.warn(
          { host: hostId, error: describeError(error) },
          'the host does not tell its free space',
        );
        return false;
      }
    }),
  );
  return answers.includes(true);
}
