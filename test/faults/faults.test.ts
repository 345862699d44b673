import { after, before, test } from 'node:test';
import { randomFrom } from './random.ts';
import { faultRows } from './rows.ts';
import { nameOf, runRow } from './run-row.ts';
import { soak } from './soak.ts';
import { startWorld, type World } from './world.ts';

/**
 * The table of faults, each row for real: something is under way, at a moment something fails, and in the end the job has
 * ended as it should, nothing is left behind and nothing acknowledged is lost. npm test runs the rows that stand for the
 * others, npm run faults all of them; MILLRACE_FAULTS may also be texts, divided by commas, that names of rows contain. npm run soak runs
 * random rows under load instead.
 */

const wanted = process.env['MILLRACE_FAULTS'];
const soakMinutes = Number(process.env['MILLRACE_SOAK_MINUTES'] ?? 0);
let world: World;

before(async () => {
  world = await startWorld();
});
after(() => world?.[Symbol.asyncDispose]());

const chosen = faultRows.filter((row) => {
  if (wanted === undefined) return row.always;
  return wanted === 'all' || wanted.split(',').some((text) => nameOf(row).includes(text.trim()));
});

if (soakMinutes > 0) {
  const seed = Number(process.env['MILLRACE_SOAK_SEED'] ?? Date.now() % 1_000_000);
  test(`random rows under load for ${soakMinutes} minutes, seed ${seed}`, () =>
    soak(world, { minutes: soakMinutes, seed }));
} else
  for (const row of chosen) {
    test(nameOf(row), { timeout: 300_000 }, async () => {
      try {
        // a restart of servers one by one is for the sake of those who go on meanwhile
        await runRow(world, row, row.actor === 'rolling restart' ? randomFrom(1) : undefined);
      } catch (error) {
        // a whole run takes its time: whoever watches it need not wait for its end
        console.error(`${nameOf(row)}: ${error instanceof Error ? error.message : String(error)}`);
        throw error;
      }
    });
  }
