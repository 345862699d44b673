import assert from 'node:assert/strict';
import { pick, randomFrom } from './random.ts';
import { faultRows } from './rows.ts';
import { nameOf, runRow } from './run-row.ts';
import type { World } from './world.ts';

/** Random rows of the table under load until the time is over. The same seed brings the same rows in the same order. */
export async function soak(
  world: World,
  { minutes, seed }: { readonly minutes: number; readonly seed: number },
): Promise<void> {
  const random = randomFrom(seed);
  const begun = performance.now();
  const elapsed = () => (performance.now() - begun) / 60_000;
  const failures: string[] = [];
  const total = { rows: 0, succeeded: 0, failed: 0, refused: 0 };
  console.error(`soak: seed ${seed}, ${minutes} min`);
  while (elapsed() < minutes) {
    const row = pick(random, faultRows);
    // of the row's own: how much the clients get done must not change which row comes next
    const ofRow = randomFrom(Math.floor(random() * 2 ** 32));
    const name = nameOf(row);
    total.rows += 1;
    const at = `soak ${elapsed().toFixed(1)} min, row ${total.rows}, ${name}`;
    try {
      const counts = await runRow(world, row, ofRow);
      total.succeeded += counts?.succeeded ?? 0;
      total.failed += counts?.failed ?? 0;
      total.refused += counts?.refused ?? 0;
      console.error(`${at}: well (${JSON.stringify(counts)})`);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      failures.push(`row ${total.rows}, ${name}: ${why}`);
      console.error(`${at}: FAILED: ${why}`);
    }
  }
  console.error(
    `soak: seed ${seed}, ${elapsed().toFixed(1)} min, ${total.rows} rows, ${failures.length} failed; ` +
      `under load ${total.succeeded} jobs succeeded, ${total.failed} failed with a reason, ${total.refused} calls refused`,
  );
  assert.deepEqual(failures, []);
}
