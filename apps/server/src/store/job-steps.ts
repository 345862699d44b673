import type { Executor } from './database.ts';

export type StepState = 'running' | 'done' | 'failed' | 'undone';

export interface StepRow {
  readonly name: string;
  readonly state: StepState;
  readonly output: unknown;
  /** Kept when the step is undone: it says why the others were undone too. */
  readonly error: string | null;
}

/** The steps of a job whose names start with `prefix`, in the order in which they began. */
export async function readSteps(executor: Executor, jobId: number, prefix: string): Promise<StepRow[]> {
  const rows = await executor
    .selectFrom('job_step')
    .select(['name', 'state', 'output', 'error'])
    .where('job_id', '=', jobId)
    .orderBy('id')
    .execute();
  return rows
    .filter((row) => row.name.startsWith(prefix))
    .map((row) => ({ ...row, state: stepStateOf(row.state) }));
}

export async function beginStep(executor: Executor, jobId: number, name: string): Promise<void> {
  await executor
    .insertInto('job_step')
    .values({ job_id: jobId, name, state: 'running' })
    .onConflict((conflict) => conflict.columns(['job_id', 'name']).doUpdateSet({ state: 'running' }))
    .execute();
}

export async function endStep(
  executor: Executor,
  jobId: number,
  name: string,
  end: { readonly state: 'done' | 'failed' | 'undone'; readonly output?: unknown; readonly error?: string },
): Promise<void> {
  await executor
    .updateTable('job_step')
    .set({
      state: end.state,
      ended: new Date(),
      ...(end.output === undefined ? {} : { output: JSON.stringify(end.output) }),
      ...(end.error === undefined ? {} : { error: end.error }),
    })
    .where('job_id', '=', jobId)
    .where('name', '=', name)
    .execute();
}

function stepStateOf(text: string): StepState {
  if (text === 'running' || text === 'done' || text === 'failed' || text === 'undone') return text;
  throw new Error(`unknown state of a job step: ${text}`);
}
