import type { SourceAttempt } from '@millrace/agent-protocol';
import type { Executor } from './database.ts';

/** Names the record of one try at one host. What users read of a deployment is made from these rows alone. */
export interface AttemptKey {
  readonly jobId: number;
  readonly ordinal: number;
}

export async function beginAttempt(
  executor: Executor,
  key: AttemptKey,
  at: { readonly vmId?: number; readonly hostId: number; readonly poolId: number },
): Promise<void> {
  await executor
    .insertInto('deployment_attempt')
    .values({
      job_id: key.jobId,
      ordinal: key.ordinal,
      vm_id: at.vmId ?? null,
      host_id: at.hostId,
      pool_id: at.poolId,
      state: 'running',
    })
    .onConflict((conflict) => conflict.columns(['job_id', 'ordinal']).doNothing())
    .execute();
}

/** What has been tried so far, while it goes on. */
export async function recordSourceAttempts(
  executor: Executor,
  key: AttemptKey,
  attempts: readonly SourceAttempt[],
): Promise<void> {
  await executor
    .updateTable('deployment_attempt')
    .set({ source_attempts: JSON.stringify(attempts) })
    .where('job_id', '=', key.jobId)
    .where('ordinal', '=', key.ordinal)
    .where('state', '=', 'running')
    .execute();
}

export interface AttemptEnd {
  readonly state: 'succeeded' | 'failed';
  readonly reason?: string;
  readonly message?: string;
  readonly next: 'next-host' | 'stop' | 'done';
  readonly sources?: readonly SourceAttempt[] | undefined;
  readonly phaseMs: Readonly<Record<string, number>>;
}

/** Ends an attempt, once: what was recorded first stays. */
export async function endAttempt(executor: Executor, key: AttemptKey, end: AttemptEnd): Promise<void> {
  await executor
    .updateTable('deployment_attempt')
    .set({
      state: end.state,
      reason: end.reason ?? null,
      message: end.message ?? null,
      next: end.next,
      phase_ms: JSON.stringify(end.phaseMs),
      ended: new Date(),
      ...(end.sources === undefined ? {} : { source_attempts: JSON.stringify(end.sources) }),
    })
    .where('job_id', '=', key.jobId)
    .where('ordinal', '=', key.ordinal)
    .where('state', '=', 'running')
    .execute();
}
