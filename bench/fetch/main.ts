import { mkdir, statfs, writeFile } from 'node:fs/promises';
import { freemem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeError } from '@millrace/core';
import { plotResults } from './report/plot.ts';
import type { Results } from './report/results.ts';
import { formatMebibytes } from './report/statistics.ts';
import { formatResults } from './report/table.ts';
import { runBenchmark } from './run-benchmark.ts';

/** See README.md. run.sh has built the image, and starts this where there is no network but loopback. */

const { values } = parseArgs({
  options: {
    work: { type: 'string', default: '/var/cache/millrace-bench' },
    cases: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    quick: { type: 'boolean', default: false },
  },
});

/** What the pool, the scratch files and the corrupt copy take at most, and what should be in memory at the same time. */
const freeDiskBytes = 8e9;
const freeMemoryBytes = 6e9;

const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => stopping.abort(new Error(`ended by ${name}`)));
}

try {
  const work = resolve(values.work);
  if (/\s/.test(work)) throw new Error(`there must be no space in ${work}`);
  const rounds = values.quick ? 1 : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds wants a number from 1 on');
  await mkdir(join(work, 'results'), { recursive: true });
  await checkRoom(work);
  const results = await runBenchmark({
    imageDirectory: join(work, 'image'),
    work: join(work, 'scratch'),
    pieceBytes: 4 * 1024 * 1024,
    limitedBytesPerSecond: 20e6,
    rounds,
    ...(values.cases === undefined ? {} : { cases: values.cases.split(',') }),
    note: (line) => console.log(line),
    signal: stopping.signal,
    onResults: (soFar) => writeResults(join(work, 'results'), soFar),
  });
  console.log(`\n${formatResults(results)}`);
  console.log(`${join(work, 'results')}: results.json, results.md, results.svg`);
  process.exitCode = succeeded(results) ? 0 : 1;
} catch (error) {
  console.error(describeError(error));
  process.exitCode = 1;
}

/** Too little of either and the figures are those of a machine that is short of it. */
async function checkRoom(work: string): Promise<void> {
  const { bavail, bsize } = await statfs(work);
  if (bavail * bsize < freeDiskBytes) {
    throw new Error(
      `${work} has ${formatMebibytes(bavail * bsize)} free: ${formatMebibytes(freeDiskBytes)} are needed`,
    );
  }
  if (freemem() < freeMemoryBytes) {
    console.error(
      `Only ${formatMebibytes(freemem())} of memory are free: sources may drop out of the page cache.`,
    );
  }
}

async function writeResults(directory: string, results: Results): Promise<void> {
  await writeFile(join(directory, 'results.json'), `${JSON.stringify(results, undefined, 1)}\n`);
  await writeFile(join(directory, 'results.md'), formatResults(results));
  await writeFile(join(directory, 'results.svg'), plotResults(results));
}

/** Missed targets are results; a contestant that failed makes them doubtful. */
function succeeded(results: Results): boolean {
  return results.cases.every(({ entries }) => entries.every(({ failure }) => failure === undefined));
}
