import { describeError } from '@millrace/core';
import { sql } from 'kysely';
import type { AgentGateway } from '../agents/gateway.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { Row } from '../store/schema.ts';
import { callHost } from './agent-call.ts';
import { loadPlace } from './records.ts';

/** A host that is to undo something is not waited for long: what stays there is found by the periodic cleaning. */
export const undoReconnectMs = 5000;

/**
 * Gives a disk up: first in the database, so that nothing uses it any more and the periodic cleaning knows of it, then
 * its file, if a host that reaches it can be asked now.
 */
export async function discardVolume(options: {
  readonly context: JobContext;
  readonly agents: AgentGateway;
  readonly volume: Row<'volumes'>;
}): Promise<void> {
  const { context, agents, volume } = options;
  await context.write(async (trx) => {
    await trx
      .updateTable('volumes')
      .set({
        state: volume.path === null || volume.pool_id === null ? 'Expunged' : 'Destroy',
        removed: sql<Date>`coalesce(removed, now())`,
      })
      .where('id', '=', volume.id)
      .execute();
  });
  if (volume.path === null || volume.pool_id === null) return;
  try {
    await removeVolumeFile({ context, agents, volume });
  } catch (error) {
    if (context.signal.aborted) throw error;
    context.log.warn(
      { volume: volume.uuid, error: describeError(error) },
      'the file of a discarded disk stays until its host can be asked',
    );
  }
}

async function removeVolumeFile(options: {
  readonly context: JobContext;
  readonly agents: AgentGateway;
  readonly volume: Row<'volumes'>;
}): Promise<void> {
  const { context, agents, volume } = options;
  const poolId = volume.pool_id!;
  const reach = await context.read((database) =>
    database.selectFrom('storage_pool_host_ref').select('host_id').where('pool_id', '=', poolId).execute(),
  );
  const hostId = reach.map((row) => row.host_id).find((id) => agents.isConnected(id)) ?? reach[0]?.host_id;
  if (hostId === undefined) return;
  const place = await context.read((database) => loadPlace(database, hostId, poolId));
  await callHost(agents, {
    hostId,
    method: 'volume.remove',
    params: { pool: place.pool, path: volume.path! },
    operationId: `${context.job.uuid}/remove-volume-${volume.uuid}`,
    signal: context.signal,
    reconnectMs: undoReconnectMs,
  });
  await context.write(async (trx) => {
    await trx.updateTable('volumes').set({ state: 'Expunged' }).where('id', '=', volume.id).execute();
  });
}
