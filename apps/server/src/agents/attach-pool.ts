import { randomUUID } from 'node:crypto';
import type { Database } from '../store/database.ts';
import type { Row } from '../store/schema.ts';
import { linkPool, sharedPoolReference, updateSpaceOf } from '../store/shared-pools.ts';
import type { AgentGateway } from './gateway.ts';

/** Mounting a share of a server that does not answer is given up by the host after a minute. */
const attachTimeoutMs = 90_000;

interface PoolDeps {
  readonly agents: AgentGateway;
  readonly database: Database;
  readonly signal: AbortSignal;
}

function callOptions(signal: AbortSignal) {
  return {
    // asked again it must be done anew: mounts come and go
    operationId: `pool-${randomUUID()}`,
    signal: AbortSignal.any([signal, AbortSignal.timeout(attachTimeoutMs)]),
    reconnectWithinMs: 0,
  };
}

/** Makes a shared pool accessible on one host, and notes it. @throws AgentCallError with the host's reason */
export async function attachPool(
  { agents, database, signal }: PoolDeps,
  pool: Row<'storage_pool'>,
  host: { readonly id: number; readonly first: boolean },
): Promise<void> {
  const params = { pool: referenceOf(pool), first: host.first };
  const attached = await agents.call(host.id, 'pool.attach', params, callOptions(signal));
  await database.transaction().execute(async (trx) => {
    await linkPool(trx, { poolId: pool.id, hostId: host.id, localPath: attached.localPath });
    await updateSpaceOf(trx, pool.id, attached);
  });
}

/** Takes a shared pool off one host; the `last` one also takes the mark. @throws AgentCallError */
export async function detachPool(
  { agents, signal }: Omit<PoolDeps, 'database'>,
  pool: Row<'storage_pool'>,
  host: { readonly id: number; readonly last: boolean },
): Promise<void> {
  const params = { pool: referenceOf(pool), last: host.last };
  await agents.call(host.id, 'pool.detach', params, callOptions(signal));
}

function referenceOf(pool: Row<'storage_pool'>) {
  const reference = sharedPoolReference(pool);
  if (reference) return reference;
  throw new Error(`the pool ${pool.uuid} is none of several hosts`);
}
