import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sleep } from '@millrace/core';
import type { JobAnswer } from '../e2e/instance.ts';
import { actors } from './actors.ts';
import { checkInvariants, leftovers } from './invariants.ts';
import { moments } from './moments.ts';
import { type FaultRow, faultRows } from './rows.ts';
import { startWorld, type World } from './world.ts';

/**
 * The table of faults, each row for real: something is under way, at a moment something fails, and in the end the job has
 * ended as it should, nothing is left behind and nothing acknowledged is lost. npm test runs the rows that stand for the
 * others, npm run faults all of them; MILLRACE_FAULTS may also be a text that names of rows contain.
 */

const wanted = process.env['MILLRACE_FAULTS'];
const { signal } = new AbortController();
let world: World;

before(async () => {
  world = await startWorld();
});
after(() => world?.[Symbol.asyncDispose]());

const nameOf = ({ actor, moment, expect }: FaultRow) => `${actor} × ${moment}: ${expect}`;

const chosen = faultRows.filter((row) =>
  wanted === undefined ? row.always : wanted === 'all' || nameOf(row).includes(wanted),
);

for (const row of chosen) {
  test(nameOf(row), { timeout: 300_000 }, async () => {
    const actor = actors[row.actor];
    await leaveTime(row.actor);
    const before = new Set(await leftovers(world));
    const underway = await moments[row.moment](world);
    const heal = await actor.strike(world, underway);
    let job: JobAnswer | undefined;
    if (actor.lasts === 'to the end') job = await underway.end().finally(heal);
    else {
      await sleep(actor.lasts, signal);
      await heal();
      job = await underway.end();
    }
    if (job && row.expect !== 'either')
      assert.equal(job.jobstatus, row.expect === 'succeeds' ? 1 : 2, JSON.stringify(job));
    if (job?.jobstatus === 2) assert.ok((job.jobresult?.errortext ?? '').length > 10, 'a failure says why');
    try {
      await checkInvariants(world, before);
    } catch (error) {
      // a whole run takes its time: whoever watches it need not wait for its end
      console.error(`${nameOf(row)}: ${error instanceof Error ? error.message : String(error)}`);
      throw error;
    }
  });
}

const struckAt = new Map<string, number[]>();

/** A part that ends five times within a minute is taken for broken by its supervisor, and rightly so. */
async function leaveTime(actor: string): Promise<void> {
  const times = struckAt.get(actor) ?? [];
  const fourth = times.at(-4);
  const waitMs = fourth === undefined ? 0 : fourth + 65_000 - Date.now();
  if (waitMs > 0) await sleep(waitMs, signal);
  struckAt.set(actor, [...times, Date.now()]);
}
