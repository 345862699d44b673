import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, runProgram, sleep } from '@millrace/core';
import type { Case } from './cases.ts';
import { type Contestant, imageName, type Kit } from './contestants.ts';
import type { Ground } from './ground.ts';
import { hasBytesOf, warm } from './image/artefacts.ts';
import { hasProgram } from './installed.ts';
import { type Run, type Stand, startStand } from './measure/stand.ts';
import { boundOf, judge, secondsOf } from './report/judge.ts';
import type { CaseResult, Entry } from './report/results.ts';
import { formatMebibytes, formatSeconds } from './report/statistics.ts';

/** One run takes no longer, or has failed. */
const oneRunMs = 15 * 60_000;
const settleMs = 200;

export interface CaseDeps {
  readonly kit: Kit;
  readonly ground: Ground;
  readonly rounds: number;
  readonly note: (line: string) => void;
  /**
   * For tests of the benchmark itself: no warm-up, no rest between runs, and long-lived processes that live through all
   * cases. Whoever hands the map in ends what is in it.
   */
  readonly hurry: Map<string, Stand> | undefined;
  readonly signal: AbortSignal;
}

/**
 * Runs the contestants in turn, round after round. One that fails is not asked again; the others go on.
 * Before every run the pool is empty and everything written is on the disk, and what is fetched is in the page cache.
 */
export async function runCase(each: Case, deps: CaseDeps): Promise<CaseResult> {
  const states = await Promise.all(each.contestants.map(makeState));
  try {
    for (let round = 1; round <= deps.rounds; round++) {
      for (const state of states) {
        if (state.missing === undefined && state.failure === undefined)
          await runOnce(state, each, round, deps);
      }
    }
  } finally {
    const kept = new Set(deps.hurry?.values());
    for (const { stand } of states) if (stand && !kept.has(stand)) await stand.kill();
  }
  const entries = states.map(entryOf);
  for (const entry of entries) deps.note(`  ${summaryOf(entry)}`);
  const { bytes, dataBytes } = deps.ground.artefacts[each.stored];
  const boundSeconds = boundOf(entries, each.bound);
  return {
    name: each.name,
    title: each.title,
    imageBytes: bytes,
    dataBytes,
    entries,
    ...(boundSeconds === undefined ? {} : { boundSeconds }),
    targets: judge(each.targets, entries, each.bound),
  };
}

interface State {
  readonly contestant: Contestant;
  readonly runs: Run[];
  readonly missing: string | undefined;
  stand: Stand | undefined;
  failure: string | undefined;
}

async function makeState(contestant: Contestant): Promise<State> {
  const found = await Promise.all(contestant.programs.map(hasProgram));
  const missing = contestant.programs.find((_, index) => !found[index]);
  return { contestant, runs: [], missing, stand: undefined, failure: undefined };
}

async function runOnce(state: State, each: Case, round: number, deps: CaseDeps): Promise<void> {
  const { contestant } = state;
  const { kit, ground } = deps;
  const signal = AbortSignal.any([deps.signal, AbortSignal.timeout(oneRunMs)]);
  try {
    state.stand ??= await startWarm(contestant, deps, signal);
    if (!deps.hurry) await settle(kit, ground.artefacts[each.fetched].path, signal);
    if (contestant.killedAt !== undefined) {
      deps.hurry?.delete(JSON.stringify(contestant.command));
      await runUntilKilled(state.stand, contestant, signal);
      state.stand = await startStand(contestant.command, signal);
      if (!deps.hurry) await runProgram('sync', ['-f', kit.work], { signal });
    }
    state.runs.push(await state.stand.run(contestant.line, signal));
    if (contestant.kind !== 'bound') {
      // everything is compared once, later rounds are spot-checked
      const stride = round === 1 ? 1 : 16;
      const right = await hasBytesOf(join(kit.pool, imageName), ground.artefacts[each.stored].path, stride);
      if (!right) throw new Error('the image in the pool is not the right one');
    }
  } catch (error) {
    deps.signal.throwIfAborted();
    state.failure = describeError(error);
    deps.hurry?.delete(JSON.stringify(contestant.command));
    await state.stand?.kill();
    state.stand = undefined;
  } finally {
    await emptyPool(kit);
  }
}

async function startWarm(contestant: Contestant, deps: CaseDeps, signal: AbortSignal): Promise<Stand> {
  const { command, warmUpLine, killedAt } = contestant;
  const key = JSON.stringify(command);
  const stand = deps.hurry?.get(key) ?? (await startStand(command, signal));
  if (warmUpLine === undefined) return stand;
  if (deps.hurry) {
    deps.hurry.set(key, stand);
    return stand;
  }
  // one that is to be killed is a fresh process afterwards, which has to be as cold as it would be
  if (killedAt !== undefined) return stand;
  try {
    await stand.run(warmUpLine, signal);
    await emptyPool(deps.kit);
    return stand;
  } catch (error) {
    await stand.kill();
    throw error;
  }
}

/** Starts what `run` would measure, and kills it when most of the image has been sent. */
async function runUntilKilled(
  stand: Stand,
  { line, killedAt }: Contestant,
  signal: AbortSignal,
): Promise<void> {
  if (killedAt === undefined) return;
  const { mirror, bytes } = killedAt;
  const goal = mirror.sentBytes + bytes;
  let ended = false;
  const run = stand.run(line, signal).then(
    () => {
      ended = true;
    },
    () => {
      ended = true;
    },
  );
  try {
    while (mirror.sentBytes < goal) {
      if (ended) throw new Error('it ended before it could be killed');
      await sleep(2, signal);
    }
  } finally {
    await stand.kill();
    await run;
  }
}

async function settle(kit: Kit, source: string, signal: AbortSignal): Promise<void> {
  await warm(source);
  await runProgram('sync', ['-f', kit.work], { signal });
  // what the file system does after a sync, such as discarding what was removed
  await sleep(settleMs, signal);
}

/** Removes whatever a run left: the image, scratch files, what was interrupted. */
export async function emptyPool({ pool }: Kit): Promise<void> {
  for (const name of await readdir(pool)) await rm(join(pool, name), { recursive: true, force: true });
}

function entryOf({ contestant, runs, failure, missing }: State): Entry {
  const { name, kind, verifies } = contestant;
  return {
    name,
    kind,
    verifies,
    runs,
    ...(failure === undefined ? {} : { failure }),
    ...(missing === undefined ? {} : { missing }),
  };
}

function summaryOf(entry: Entry): string {
  const name = entry.name.padEnd(36);
  if (entry.missing !== undefined) return `${name} – ${entry.missing} is missing`;
  const seconds = secondsOf(entry);
  if (seconds === undefined) return `${name} ✘ ${entry.failure ?? 'it did not run'}`;
  const times = entry.runs.map((run) => run.seconds);
  const spread = `${formatSeconds(Math.min(...times))} to ${formatSeconds(Math.max(...times))}`;
  const memory = formatMebibytes(Math.max(...entry.runs.map((run) => run.allProcessesBytes)));
  return `${name} ${formatSeconds(seconds).padStart(6)} s (${spread}), ${memory}`;
}
