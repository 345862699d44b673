import assert from 'node:assert/strict';
import { sleep } from '@millrace/core';
import type { JobAnswer } from '../e2e/instance.ts';
import { type Actor, actors } from './actors.ts';
import { checkInvariants, leftovers } from './invariants.ts';
import { type LoadCounts, startLoad } from './load.ts';
import { moments } from './moments.ts';
import type { FaultRow } from './rows.ts';
import type { World } from './world.ts';

const { signal } = new AbortController();
const struckAt = new Map<string, number[]>();

export const nameOf = ({ actor, moment, expect }: FaultRow) => `${actor} × ${moment}: ${expect}`;

/**
 * Something is under way, at a moment something fails, and in the end the job has ended as it should, nothing is left
 * behind and nothing acknowledged is lost.
 * @param random given: other clients deploy and remove instances meanwhile, and this says which
 */
export async function runRow(
  world: World,
  row: FaultRow,
  random?: () => number,
): Promise<LoadCounts | undefined> {
  const actor: Actor = actors[row.actor];
  // a row that failed may have left it held
  world.web.up();
  await leaveTime(row.actor);
  const before = new Set(await leftovers(world));
  const heal = await actor.prepare?.(world);
  let counts: LoadCounts | undefined;
  let job: JobAnswer | undefined;
  try {
    const load = random && startLoad(world, random);
    job = await strike(world, row, actor).finally(async () => {
      counts = await load?.stop();
    });
  } finally {
    await heal?.();
  }
  if (job && row.expect !== 'either')
    assert.equal(job.jobstatus, row.expect === 'succeeds' ? 1 : 2, JSON.stringify(job));
  if (job?.jobstatus === 2) assert.ok((job.jobresult?.errortext ?? '').length > 10, 'a failure says why');
  if (job) await actor.check?.(world, job);
  await checkInvariants(world, before);
  return counts;
}

async function strike(world: World, row: FaultRow, actor: Actor): Promise<JobAnswer | undefined> {
  const underway = await moments[row.moment](world);
  const heal = await actor.strike(world, underway);
  if (actor.lasts === 'to the end') return underway.end().finally(heal);
  await sleep(actor.lasts, signal);
  await heal();
  return underway.end();
}

/** A part that ends five times within a minute is taken for broken by its supervisor, and rightly so. */
async function leaveTime(actor: string): Promise<void> {
  const part = actor === 'rolling restart' ? 'server' : actor;
  const times = struckAt.get(part) ?? [];
  const fourth = times.at(-4);
  const waitMs = fourth === undefined ? 0 : fourth + 65_000 - Date.now();
  if (waitMs > 0) await sleep(waitMs, signal);
  struckAt.set(part, [...times, Date.now()]);
}
