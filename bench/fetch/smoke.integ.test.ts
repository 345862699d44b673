import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildTinyImage } from './image/tiny-image.ts';
import { plotResults } from './report/plot.ts';
import { formatResults } from './report/table.ts';
import { runBenchmark } from './run-benchmark.ts';

/** The whole benchmark with an image of 4 MiB and the peers that are installed: does it work, not how fast. */

const timeoutMs = 180_000;

test('every case of the benchmark puts the right image into the pool, and has a row', async () => {
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const signal = AbortSignal.timeout(timeoutMs);
  const lines: string[] = [];
  try {
    const imageDirectory = join(work, 'image');
    await buildTinyImage(imageDirectory, 4 * 1024 * 1024, signal);
    const results = await runBenchmark({
      imageDirectory,
      work,
      // so that there is a fiftieth piece
      pieceBytes: 32 * 1024,
      limitedBytesPerSecond: 6e6,
      rounds: 1,
      hurry: true,
      note: (line) => lines.push(line),
      signal,
    });
    const entries = results.cases.flatMap(({ name, entries: all }) =>
      all.map((entry) => ({ ...entry, name: `${name}: ${entry.name}` })),
    );
    const failed = entries.filter(({ failure }) => failure !== undefined);
    assert.deepEqual(
      failed.map(({ name, failure }) => `${name}: ${failure}`),
      [],
    );
    for (const { name, runs, missing } of entries) {
      if (missing === undefined) assert.equal(runs.length, 1, name);
    }
    // it does measure: nobody moves an image without writing it, or without memory
    const agent = entries.find(({ name }) => name === 'qcow2: Millrace, agent')!;
    assert.ok(agent.runs[0]!.writtenBytes >= results.cases[0]!.dataBytes);
    assert.ok(agent.runs[0]!.largestProcessBytes > 10e6);

    const table = formatResults(results);
    const plot = plotResults(results);
    for (const { name, title, targets } of results.cases) {
      assert.ok(table.includes(`### ${name}: `), `a table of ${name}`);
      assert.ok(plot.includes(title.split('`')[0]!), `a plot of ${name}`);
      if (targets.length > 0) assert.ok(table.includes(`| ${title} | `), `a row of ${name}`);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
});
