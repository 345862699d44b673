import type { SourceAttempt } from '@millrace/agent-protocol';
import { ApiError } from '@millrace/api';
import { decideAfterFailure, type Failure } from '../domain/failure-policy.ts';
import { messageForUsers } from '../domain/host-failures.ts';
import type { JobContext } from '../jobs/job-context.ts';
import { type Step, StepFailed } from '../jobs/steps.ts';
import { endAttempt } from '../store/deployment-attempts.ts';
import { type AttemptRow, attemptsOf } from '../store/job-list.ts';
import type { Row } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { makeAttemptProgress } from './attempt-progress.ts';
import { type Attempt, decodeHostState, type HostState, type WorkflowDeps } from './host-steps.ts';
import type { VmRecord } from './records.ts';

export interface TryHostsOptions {
  readonly deps: WorkflowDeps;
  readonly context: JobContext;
  readonly record: VmRecord;
  readonly template: Row<'vm_template'>;
  readonly only: Attempt['only'];
  readonly rootDiskSizeBytes?: number | undefined;
  readonly steps: (attempt: Attempt) => readonly Step<HostState>[];
}

/**
 * Runs the steps at one suitable host after the other, each host at most once, until they succeed. Every attempt is
 * recorded with its reason and with what comes next.
 * @throws ApiError in which every attempt is named: 530, or 533 when no host was suitable in the first place
 */
export async function tryHosts(options: TryHostsOptions): Promise<Partial<HostState>> {
  const { context, deps } = options;
  const reconnectMs =
    (await context.read((database) => readSetting(database, 'agent.reconnect.timeout'))) * 1000;
  const failures: Failure[] = [];
  for (let ordinal = 1; ; ordinal++) {
    const progress = makeAttemptProgress(context, ordinal, options.template.source_count);
    const attempt: Attempt = {
      ...options,
      ordinal,
      progress,
      reconnectMs,
      rootDiskSizeBytes: options.rootDiskSizeBytes,
    };
    const phasesBefore = context.progress.phaseMs();
    try {
      const state = await deps.runSteps<HostState>({
        context,
        prefix: `host-${ordinal}/`,
        steps: options.steps(attempt),
        initial: {},
        decode: decodeHostState,
      });
      await progress.flush();
      await finish(context, ordinal, { state: 'succeeded', next: 'done', phasesBefore });
      return state;
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      await progress.flush();
      if (error.failure.code === 'NO_SUITABLE_HOST')
        throw await describeEnd(context, failures, error.failure.message);
      const { next, explanation } = decideAfterFailure(error.failure, failures);
      failures.push(error.failure);
      const message = explanation ? `${error.failure.message}; ${explanation}` : error.failure.message;
      await finish(context, ordinal, {
        state: 'failed',
        next,
        phasesBefore,
        reason: error.failure.code,
        message,
        sources: error.failure.attempts,
      });
      if (next === 'stop') throw await describeEnd(context, failures, undefined);
    }
  }
}

async function finish(
  context: JobContext,
  ordinal: number,
  end: {
    readonly state: 'succeeded' | 'failed';
    readonly next: 'next-host' | 'stop' | 'done';
    readonly phasesBefore: Readonly<Record<string, number>>;
    readonly reason?: string;
    readonly message?: string;
    readonly sources?: readonly SourceAttempt[] | undefined;
  },
): Promise<void> {
  const { phasesBefore, ...rest } = end;
  const phaseMs = Object.fromEntries(
    Object.entries(context.progress.phaseMs())
      .map(([phase, ms]) => [phase, ms - (phasesBefore[phase] ?? 0)] as const)
      .filter(([, ms]) => ms > 0),
  );
  await context.write((trx) => endAttempt(trx, { jobId: context.job.id, ordinal }, { ...rest, phaseMs }));
}

/** The job's answer when no host could do it: what was tried where, with which source, and why it failed. */
async function describeEnd(
  context: JobContext,
  failures: readonly Failure[],
  leftOut: string | undefined,
): Promise<ApiError> {
  if (failures.length === 0)
    return new ApiError(
      'INSUFFICIENT_CAPACITY_ERROR',
      `No suitable host: ${leftOut ?? 'none'}. Free resources, or add a host, and try again`,
      { userText: 'No host has room for the instance now; try again later or ask the operator' },
    );
  const attempts = await context.read((database) => attemptsOf(database, context.job.id));
  const describe = (forAdmin: boolean) => {
    const lines = attempts.map((attempt) => describeAttempt(attempt, forAdmin));
    // a failure before a host was chosen has no row
    const last = failures.at(-1);
    if (last && attempts.length < failures.length)
      lines.push(`${failures.length}. ${forAdmin ? last.message : messageForUsers(last.code, last.message)}`);
    const others = leftOut === undefined || !forAdmin ? '' : ` No other host is suitable: ${leftOut}.`;
    return `The instance could not be brought up; ${lines.length} attempt(s): ${lines.join(' ')}${others}`;
  };
  return new ApiError('INTERNAL_ERROR', describe(true), { userText: describe(false) });
}

function describeAttempt(attempt: AttemptRow, forAdmin: boolean): string {
  // written by recordSourceAttempts or endAttempt, from decoded messages
  const sources = (attempt.source_attempts as SourceAttempt[])
    .filter((source) => source.state === 'failed')
    .map(describeSource);
  const where = forAdmin ? `host ${attempt.host_name ?? '?'}, pool ${attempt.pool_name ?? '?'}: ` : '';
  const message = attempt.message ?? attempt.reason ?? 'failed';
  const why = forAdmin ? message : messageForUsers(attempt.reason, message);
  return `${attempt.ordinal}. ${where}${why}${sources.length > 0 ? ` [${sources.join('; ')}]` : ''}`;
}

function describeSource(source: SourceAttempt): string {
  const why = source.message ?? source.reason ?? 'failed';
  return `checksum attempt ${source.checksumAttempt}, try ${source.tryNumber}, ${source.url}: ${why}`;
}

/** Long enough for every attempt at a few hosts; whoever wants more asks for the attempts themselves. */
export function shortened(text: string): string {
  return text.length <= 8000 ? text : `${text.slice(0, 8000)}…`;
}
