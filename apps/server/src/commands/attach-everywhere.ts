import { ApiError } from '@millrace/api';
import { describeError } from '@millrace/core';
import { attachPool } from '../agents/attach-pool.ts';
import type { Row } from '../store/schema.ts';
import type { CommandDependencies } from './command.ts';

interface Attached {
  readonly reached: number;
  readonly asked: number;
  /** Of hosts that do not reach it, in words. */
  readonly problems: readonly string[];
}

/**
 * Asks every connected one of these hosts to reach a new pool or image store; one at least must. The first marks it.
 * @throws ApiError 431 when none does; the row is gone then
 */
export async function attachEverywhere(
  deps: CommandDependencies & { readonly signal: AbortSignal },
  pool: Row<'storage_pool'>,
  hosts: readonly { readonly id: number; readonly name: string }[],
  nobody: string,
): Promise<Attached> {
  const { database, log } = deps;
  const connected = hosts.filter(({ id }) => deps.agents.isConnected(id));
  const problems: string[] = [];
  let reached = 0;
  for (const host of connected) {
    try {
      await attachPool(deps, pool, { id: host.id, first: reached === 0 });
      reached++;
    } catch (error) {
      const reason = describeError(error);
      log.warn({ host: host.name, pool: pool.name, reason }, 'a host does not reach the storage');
      problems.push(`${host.name}: ${reason}`);
    }
  }
  if (reached > 0) return { reached, asked: connected.length, problems };
  await database.deleteFrom('data_store').where('id', '=', pool.id).execute();
  throw new ApiError(
    'PARAM_ERROR',
    connected.length === 0 ? nobody : `no host reaches the storage. ${problems.join('. ')}`,
  );
}
