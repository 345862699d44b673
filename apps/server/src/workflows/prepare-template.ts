import { ApiError } from '@millrace/api';
import { decideAfterFailure, type Failure, failureOf } from '../domain/failure-policy.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import { beginAttempt, endAttempt } from '../store/deployment-attempts.ts';
import { type PoolHosts, poolsToPrepare } from '../store/pool-hosts.ts';
import type { Row } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { makeAttemptProgress } from './attempt-progress.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { loadPlace, loadTemplateRow } from './records.ts';
import { ensureTemplateOnPool } from './template-on-pool.ts';
import { reconnectBoundMs } from './vm-job.ts';

interface Run {
  readonly deps: WorkflowDeps;
  readonly context: JobContext<'prepareTemplate'>;
  readonly template: Row<'vm_template'>;
  readonly reconnectMs: number;
  /** Of all pools: identical wrong bytes seen by two hosts say the same wherever they were to go. */
  readonly failures: Failure[];
  /** Why no further pool would fare better: a refused image, a wrong checksum. */
  stopped: string | undefined;
  /** Percent of each pool, by its ID. */
  readonly percents: Map<number, number>;
}

/** Attempts of one pool are numbered from here on, so that the next worker gives each of them the same number. */
const attemptsPerPool = 1000;

/**
 * Brings a template's copy to pools before anybody deploys from it, a few at a time and behind deployments where a host's
 * rate is limited. Each pool by each of its hosts at most once, as a deployment would.
 */
export function prepareTemplate(deps: WorkflowDeps): JobDefinition<'prepareTemplate'> {
  return {
    async run(context) {
      const { templateId, poolIds } = context.parameters;
      const template = await context.read((database) => loadTemplateRow(database, templateId));
      const atOnce = await context.read((database) => readSetting(database, 'template.preload.pool.size'));
      const pools = await context.read((database) => poolsToPrepare(database, poolIds));
      const run: Run = {
        deps,
        context,
        template,
        reconnectMs: await reconnectBoundMs(context),
        failures: [],
        stopped: undefined,
        percents: new Map(pools.map(({ poolId }) => [poolId, 0])),
      };
      const waiting = pools.entries();
      const problems: string[] = [];
      const work = async () => {
        for (const [index, pool] of waiting) {
          const problem = run.stopped ?? (await preparePool(run, pool, index));
          if (problem !== undefined) problems.push(`pool ${pool.name}: ${problem}`);
        }
      };
      await Promise.all(Array.from({ length: Math.min(atOnce, pools.length) }, work));
      if (problems.length === 0) return { success: true };
      throw new ApiError(
        'INTERNAL_ERROR',
        `template ${template.name} is not on ${problems.length} of ${pools.length} pool(s): ${problems.join('; ')}`,
      );
    },
  };
}

/** @returns why the copy is not there, when it is not */
async function preparePool(run: Run, pool: PoolHosts, index: number): Promise<string | undefined> {
  let problem = 'no host that reaches it is Up and Enabled; bring one up and prepare the template again';
  for (const [tried, hostId] of pool.hostIds.entries()) {
    const ordinal = index * attemptsPerPool + tried + 1;
    const failure = await prepareAt(run, { pool, hostId, ordinal });
    if (failure === undefined) return undefined;
    problem = failure.explanation ?? failure.message;
    if (failure.next === 'stop') {
      run.stopped = problem;
      return problem;
    }
  }
  return problem;
}

async function prepareAt(
  { deps, context, template, reconnectMs, failures, percents }: Run,
  { pool, hostId, ordinal }: { readonly pool: PoolHosts; readonly hostId: number; readonly ordinal: number },
) {
  const { poolId } = pool;
  const key = { jobId: context.job.id, ordinal };
  await context.write((trx) => beginAttempt(trx, key, { hostId, poolId }));
  // the job's percent is that of all pools together
  const report: JobContext['progress']['report'] = (progress) => {
    percents.set(poolId, progress.percent);
    const all = [...percents.values()].reduce((sum, percent) => sum + percent, 0);
    context.progress.report({ ...progress, percent: all / percents.size });
  };
  const own = { ...context, progress: { ...context.progress, report } };
  const progress = makeAttemptProgress(own, ordinal, template.source_count);
  const begun = performance.now();
  const phaseMs = () => ({ transferring: Math.round(performance.now() - begun) });
  try {
    const place = await context.read((database) => loadPlace(database, hostId, poolId));
    progress.at(place.hostName, place.poolName);
    const ready = await ensureTemplateOnPool({
      context,
      agents: deps.agents,
      place,
      template,
      step: `attempt-${ordinal}`,
      reconnectMs,
      priority: 'prefetch',
      onTransfer: progress.transfer,
    });
    progress.sources(ready.attempts);
    await progress.flush();
    await context.write((trx) =>
      endAttempt(trx, key, { state: 'succeeded', next: 'done', phaseMs: phaseMs() }),
    );
    report({ phase: 'committed', percent: 100, poolname: pool.name });
    return undefined;
  } catch (error) {
    if (context.signal.aborted) throw error;
    const failure = failureOf(error);
    const decision = decideAfterFailure(failure, failures);
    failures.push(failure);
    await progress.flush();
    await context.write((trx) =>
      endAttempt(trx, key, {
        state: 'failed',
        reason: failure.code,
        message: decision.explanation ?? failure.message,
        next: decision.next,
        sources: failure.attempts,
        phaseMs: phaseMs(),
      }),
    );
    return { ...decision, message: failure.message };
  }
}
