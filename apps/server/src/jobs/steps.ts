import { describeError } from '@millrace/core';
import { Detached, type Failure, failureOf } from '../domain/failure-policy.ts';
import { beginStep, endStep, readSteps, type StepRow } from '../store/job-steps.ts';
import type { JobContext } from './job-context.ts';

/**
 * A step of a workflow. `S` is the workflow's state: a JSON object that grows with what each step returns, and that is
 * kept, so that another worker goes on with the first unfinished step.
 */
export interface Step<S extends object> {
  /** Unique within the job's prefix. */
  readonly name: string;
  /** Must be safe to repeat: a worker may die between the deed and its record. */
  readonly do: (state: S) => Promise<Partial<S>>;
  /**
   * Takes back what `do` did, wholly or in part: it also runs for the step that failed. Must be safe to repeat, and
   * must not fail because a host is away.
   */
  readonly undo?: (state: Partial<S>) => Promise<void>;
}

/** A step failed and everything before it has been undone. The same whether it happened now or before a takeover. */
export class StepFailed extends Error {
  readonly step: string;
  readonly failure: Failure;

  constructor(step: string, failure: Failure, options?: { cause?: unknown }) {
    super(failure.message, options);
    this.name = 'StepFailed';
    this.step = step;
    this.failure = failure;
  }
}

export interface RunStepsOptions<S extends object> {
  readonly context: Pick<JobContext, 'job' | 'signal' | 'log' | 'write' | 'read'>;
  /** Put before every step's name: `host-1/`. */
  readonly prefix: string;
  readonly steps: readonly Step<S>[];
  readonly initial: Partial<S>;
  /** Reads a kept output back. */
  readonly decode: (value: unknown) => Partial<S>;
}

export type RunSteps = <S extends object>(options: RunStepsOptions<S>) => Promise<Partial<S>>;

/**
 * Runs steps in order, each at most once to its end. Steps that an earlier worker finished are not repeated: their
 * output is used. When one fails, it and all before it are undone in reverse, and so they are when an earlier worker
 * died while undoing.
 * @throws StepFailed, with everything undone; Detached, with everything left as it is for the next worker
 */
export const runSteps: RunSteps = async (options) => {
  const { context, prefix, steps } = options;
  const rows = new Map(
    (await context.read((database) => readSteps(database, context.job.id, prefix))).map((row) => [
      row.name,
      row,
    ]),
  );
  let state = stateOf(options, rows);
  const broken = steps.find((step) => rows.get(prefix + step.name)?.error != null);
  if (broken) {
    const failure = JSON.parse(rows.get(prefix + broken.name)!.error!) as Failure;
    await undoSteps(options, steps.slice(0, steps.indexOf(broken) + 1), state);
    throw new StepFailed(broken.name, failure);
  }
  for (const [index, step] of steps.entries()) {
    if (rows.get(prefix + step.name)?.state === 'done') continue;
    const name = prefix + step.name;
    context.signal.throwIfAborted();
    try {
      await context.write((trx) => beginStep(trx, context.job.id, name));
      context.log.debug({ step: name }, 'step begins');
      // by the step's contract what has been collected so far is all it needs
      const output = await step.do(state as Parameters<typeof step.do>[0]);
      await context.write((trx) => endStep(trx, context.job.id, name, { state: 'done', output }));
      state = { ...state, ...output };
    } catch (error) {
      if (isDetached(error, context.signal)) throw error;
      const failure = failureOf(error);
      context.log.warn({ step: name, code: failure.code, error: describeError(error) }, 'step failed');
      const kept = JSON.stringify(failure);
      await context.write(async (trx) => {
        await beginStep(trx, context.job.id, name);
        await endStep(trx, context.job.id, name, { state: 'failed', error: kept });
      });
      await undoSteps(options, steps.slice(0, index + 1), state);
      throw new StepFailed(step.name, failure, { cause: error });
    }
  }
  return state;
};

/** Undoes every step, last first. For workflows that fail after their steps are done. */
export async function undoAllSteps<S extends object>(options: RunStepsOptions<S>): Promise<void> {
  const rows = await options.context.read((database) =>
    readSteps(database, options.context.job.id, options.prefix),
  );
  const known = new Map(rows.map((row) => [row.name, row]));
  const begun = options.steps.filter((step) => known.has(options.prefix + step.name));
  await undoSteps(options, begun, stateOf(options, known));
}

function stateOf<S extends object>(
  options: RunStepsOptions<S>,
  rows: ReadonlyMap<string, StepRow>,
): Partial<S> {
  let state = options.initial;
  for (const step of options.steps) {
    const output = rows.get(options.prefix + step.name)?.output;
    if (output != null) state = { ...state, ...options.decode(output) };
  }
  return state;
}

async function undoSteps<S extends object>(
  options: RunStepsOptions<S>,
  steps: readonly Step<S>[],
  state: Partial<S>,
): Promise<void> {
  const { context, prefix } = options;
  const rows = await context.read((database) => readSteps(database, context.job.id, prefix));
  const undone = new Set(rows.filter((row) => row.state === 'undone').map((row) => row.name));
  for (const step of steps.toReversed()) {
    const name = prefix + step.name;
    if (undone.has(name)) continue;
    try {
      await step.undo?.(state);
    } catch (error) {
      if (isDetached(error, context.signal)) throw error;
      // what is left is found by the periodic cleaning; the other steps must be undone all the same
      context.log.error({ step: name, error: failureOf(error) }, 'a step could not be undone');
    }
    await context.write((trx) => endStep(trx, context.job.id, name, { state: 'undone' }));
  }
}

function isDetached(error: unknown, signal: AbortSignal): boolean {
  return error instanceof Detached || signal.aborted;
}
