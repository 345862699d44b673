import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildTinyImage } from './image/tiny-image.ts';
import { runBenchmark } from './run-benchmark.ts';

test('every case of the benchmark ends with the right image in the pool, and with a row', async () => {
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const signal = AbortSignal.timeout(120_000);
  try {
    const imageDirectory = join(work, 'image');
    await buildTinyImage(imageDirectory, 4 * 1024 * 1024, signal);
    const results = await runBenchmark({
      imageDirectory,
      work,
      pieceBytes: 32 * 1024,
      limitedBytesPerSecond: 4_000_000,
      rounds: 1,
      hurry: true,
      note: (line) => console.log(line),
      signal,
    });
    console.log(
      JSON.stringify(results.overall),
      results.cases.map((c) => JSON.stringify(c.targets)),
    );
    assert.ok(results);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
});
