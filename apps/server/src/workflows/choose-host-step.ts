import { MillraceError, sleep } from '@millrace/core';
import { sql } from 'kysely';
import { type Choice, type LeftOut, placeInstance } from '../placement/choose-host.ts';
import type { Executor } from '../store/database.ts';
import { demandOf, loadCandidates, readOverCommit } from './host-candidates.ts';
import type { Attempt } from './host-steps.ts';
import { refreshPoolSpace } from './pool-space.ts';

/** Two placements at once would both see the room that there is once. Any constant, the same in every server. */
export const placementLock = 7_210_419;
/** A host that is only reconnecting (a server has just started) is waited for, not passed over. */
const waitPollMs = 500;

/** No host is left that would do. Carries why each was left out. */
export class NoSuitableHost extends MillraceError {
  constructor(leftOut: readonly LeftOut[]) {
    const reasons = leftOut.map(({ host, reason }) => `${host}: ${reason}`);
    super('NO_SUITABLE_HOST', reasons.join('; ') || 'there is no host in the zone');
    this.name = 'NoSuitableHost';
  }
}

/**
 * Chooses the best host that this job has not been at, and books the instance on it. Asked again for the same attempt,
 * by the job's next worker, it answers the same.
 * @throws NoSuitableHost
 */
export async function chooseHost(attempt: Attempt): Promise<Choice> {
  const { context, record } = attempt;
  const deadline = Date.now() + attempt.reconnectMs;
  let spaceIsFresh = false;
  for (;;) {
    const found = await context.write(async (trx) => {
      await sql`select pg_advisory_xact_lock(${placementLock})`.execute(trx);
      const again = await earlierChoice(trx, attempt);
      const outcome = again ? { choice: again } : await place(trx, attempt);
      if ('choice' in outcome) await book(trx, record.vm.id, outcome.choice.hostId);
      return outcome;
    });
    if ('choice' in found) return found.choice;
    if (!spaceIsFresh) {
      // what hosts reported with their last heartbeat may be seconds old: nobody is refused for what was true then
      spaceIsFresh = true;
      if (await refreshPoolSpace(attempt)) continue;
    }
    if (!found.mayReturn || Date.now() >= deadline) throw new NoSuitableHost(found.leftOut);
    attempt.progress.phase('waiting-for-host');
    await sleep(waitPollMs, context.signal);
  }
}

async function place(
  trx: Executor,
  attempt: Attempt,
): Promise<{ choice: Choice } | { leftOut: readonly LeftOut[]; mayReturn: boolean }> {
  const { record, template, only } = attempt;
  const candidates = await loadCandidates(trx, {
    zoneId: record.vm.data_center_id,
    templateId: template.id,
    exceptVmId: record.vm.id,
  });
  const tried = await triedHosts(trx, attempt);
  const demand = demandOf(record, template, only);
  const overCommit = await readOverCommit(trx);
  const placement = placeInstance(candidates, demand, overCommit, tried);
  const [best] = placement.suitable;
  if (best) return { choice: best };
  const reconnecting = candidates.filter(
    (host) => host.status === 'Disconnected' || host.status === 'Connecting',
  );
  const assumedUp = reconnecting.map((host) => ({ ...host, status: 'Up' }));
  const mayReturn =
    tried.size === 0 && placeInstance(assumedUp, demand, overCommit, tried).suitable.length > 0;
  return { leftOut: placement.leftOut, mayReturn };
}

async function earlierChoice(trx: Executor, attempt: Attempt): Promise<Choice | undefined> {
  const row = await trx
    .selectFrom('deployment_attempt')
    .innerJoin('host', 'host.id', 'deployment_attempt.host_id')
    .innerJoin('data_store', 'data_store.id', 'deployment_attempt.pool_id')
    .where('job_id', '=', attempt.context.job.id)
    .where('ordinal', '=', attempt.ordinal)
    .select(['host_id', 'pool_id', 'host.name as host', 'data_store.name as pool'])
    .executeTakeFirst();
  return row && { hostId: row.host_id!, poolId: row.pool_id!, host: row.host, pool: row.pool };
}

async function triedHosts(trx: Executor, attempt: Attempt): Promise<Set<number>> {
  const rows = await trx
    .selectFrom('deployment_attempt')
    .select('host_id')
    .where('job_id', '=', attempt.context.job.id)
    .where('ordinal', '<', attempt.ordinal)
    .execute();
  return new Set(rows.flatMap((row) => row.host_id ?? []));
}

async function book(trx: Executor, vmId: number, hostId: number): Promise<void> {
  await trx.updateTable('vm_instance').set({ host_id: hostId }).where('id', '=', vmId).execute();
}
