import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@millrace/core';
import { makeCases } from './cases.ts';
import { type Kit, millraceAgent, millraceCommand } from './contestants.ts';
import { type Ground, type GroundOptions, prepareGround } from './ground.ts';
import { compileCloudStackFlow } from './installed.ts';
import { describeMachine } from './machine.ts';
import { environmentIn, type Stand, startStand } from './measure/stand.ts';
import { judgeOverall } from './report/judge.ts';
import type { CaseResult, Results } from './report/results.ts';
import { emptyPool, runCase } from './run-case.ts';

export interface BenchmarkOptions extends Omit<GroundOptions, 'signal'> {
  readonly rounds: number;
  /** Names of cases; all without it. */
  readonly cases?: readonly string[];
  /** See `CaseDeps`. */
  readonly hurry?: boolean;
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
  /** Told after each case, so that nothing is lost when a later one is interrupted. */
  readonly onResults?: (results: Results) => Promise<void>;
}

/**
 * Runs the cases one after the other, and in each the contestants in turn, round after round. A contestant that fails is
 * not asked again in that case; the others go on.
 */
export async function runBenchmark(options: BenchmarkOptions): Promise<Results> {
  const { work, rounds, note, signal } = options;
  const hurry = options.hurry ? new Map<string, Stand>() : undefined;
  const pool = join(work, 'pool');
  await rm(pool, { recursive: true, force: true });
  await mkdir(pool, { recursive: true });
  await mkdir(join(work, 'state'), { recursive: true, mode: 0o700 });
  try {
    await using ground = await prepareGround(options);
    const kit = await makeKit(options, ground, pool);
    const all = await makeCases(kit, ground);
    const chosen = all.filter(({ name }) => options.cases?.includes(name) ?? true);
    const unknown = options.cases?.filter((name) => all.every((each) => each.name !== name)) ?? [];
    if (unknown.length > 0 || chosen.length === 0) {
      throw new Error(
        `there is no case ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`,
      );
    }
    const machine = await describeMachine(work, signal);
    if (!hurry) await fillCompileCache(kit, signal);
    const cases: CaseResult[] = [];
    const resultsSoFar = (): Results => ({ machine, rounds, cases, overall: judgeOverall(cases) });
    for (const each of chosen) {
      note(`\n${each.name}: ${each.title}`);
      cases.push(await runCase(each, { kit, ground, rounds, hurry, note, signal }));
      await options.onResults?.(resultsSoFar());
    }
    return resultsSoFar();
  } finally {
    for (const stand of hurry?.values() ?? []) await stand.kill();
    await rm(pool, { recursive: true, force: true });
  }
}

async function makeKit({ work, signal }: BenchmarkOptions, ground: Ground, pool: string): Promise<Kit> {
  const small = ground.artefacts['small.qcow2'];
  return {
    node: process.execPath,
    work,
    pool,
    classPath: await compileCloudStackFlow(work, signal),
    warmUp: { url: ground.urlOf('small.qcow2'), artefact: small, store: 'qcow2' },
  };
}

/** A process that ends writes the cache of compiled code that every later one finds; those that are measured are killed. */
async function fillCompileCache(kit: Kit, signal: AbortSignal): Promise<void> {
  const stand = await startStand(millraceCommand(kit, kit.warmUp).command, signal);
  try {
    await stand.run('go', signal);
  } finally {
    await stand.kill();
    await emptyPool(kit);
  }
  const { command, line } = millraceAgent(kit, kit.warmUp);
  const env = environmentIn(command.directory);
  await runProgram(command.file, command.argv, { signal, env, cwd: command.directory, input: `${line}\n` });
  await emptyPool(kit);
}
