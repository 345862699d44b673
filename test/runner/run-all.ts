import { access, glob, mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnProgram } from '@millrace/core';
import { addCounts, closingLine, noTests, readReport, type TestCounts } from './test-counts.ts';

/**
 * npm test: types, lint, format, unit tests, integration tests and end-to-end tests, with one closing line for all of
 * them. Everything runs even when something before it has failed; the exit code is 1 when anything has.
 */
const root = fileURLToPath(new URL('../..', import.meta.url));
const patterns = process.argv.slice(2);
const stopping = new AbortController();
const isRoot = process.getuid?.() === 0;

/** Their hosts are lost, frozen and waited for: they take long, and leave the CPU to others meanwhile. */
const waiting = /^test\/e2e\/(high-availability|hosts|servers|shared-pool)\.test\.ts$/;

const groups = [
  {
    name: 'unit',
    files: (file: string) => !inWholeMachine(file) && !file.endsWith('.integ.test.ts'),
    concurrency: availableParallelism(),
    minutes: 10,
    inMachine: false,
  },
  // in a machine of their own: libvirt is there to be used, and what they start ends with it
  {
    name: 'integration',
    files: (file: string) => file.endsWith('.integ.test.ts'),
    concurrency: availableParallelism(),
    minutes: 20,
    inMachine: true,
  },
  // beside the group before it, in another machine
  {
    name: 'hosts that are waited for',
    files: (file: string) => waiting.test(file),
    concurrency: 1,
    minutes: 20,
    inMachine: true,
    besideTheOneBefore: true,
  },
  {
    name: 'end-to-end',
    files: (file: string) => inWholeMachine(file) && !waiting.test(file),
    concurrency: 1,
    // a soak lasts as long as it was told to
    minutes: 60 + Number(process.env['MILLRACE_SOAK_MINUTES'] ?? 0),
    inMachine: true,
  },
] as const;

for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => stopping.abort(new Error(`ended by ${name}`)));
}

const scratch = await mkdtemp(join(tmpdir(), 'millrace-test-'));
let total: TestCounts = noTests;
try {
  const all = await findTestFiles();
  const chosen = all.filter(
    (file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)),
  );
  if (chosen.length === 0) throw new Error(`no test file matches ${patterns.join(' ')}`);
  const asRoot = await rootCommand();
  if (asRoot === undefined) {
    console.error(
      'npm test installs system packages and starts machines in namespaces, which needs root, and there is no sudo here.\n' +
        `As root, run: cd '${root}' && npm test`,
    );
    total = addCounts(total, failure('set-up: neither root nor sudo'));
  } else {
    total = addCounts(total, await check('set-up', asRoot, [process.execPath, 'test/runner/prepare.ts']));
  }
  if (patterns.length === 0) {
    const bin = (name: string) => join(root, 'node_modules/.bin', name);
    total = addCounts(
      total,
      await check('types', [], [bin('tsc'), '--noEmit']),
      await check('types of the console', [], [bin('tsc'), '--noEmit', '-p', 'apps/web']),
      await check('lint', [], [bin('biome'), 'lint', '--error-on-warnings', '.']),
      await check('format', [], [bin('biome'), 'format', '.']),
    );
  }
  let before = Promise.resolve(noTests);
  for (const group of groups) {
    const files = chosen.filter(group.files);
    if (files.length === 0) continue;
    if (!('besideTheOneBefore' in group)) {
      total = addCounts(total, await before);
      before = Promise.resolve(noTests);
    }
    const counts = runGroup(group, files, asRoot);
    before = Promise.all([before, counts]).then(([first, second]) => addCounts(first, second));
  }
  total = addCounts(total, await before);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  total = addCounts(total, failure('the run itself'));
} finally {
  await rm(scratch, { recursive: true, force: true });
}

if (total.failures.length > 0) {
  console.log('\nFailed:');
  for (const name of total.failures) console.log(`  ✘ ${name}`);
}
console.log(`\n${closingLine(total)}`);
process.exit(total.failed === 0 ? 0 : 1);

function inWholeMachine(file: string): boolean {
  return /^test\/(e2e|faults)\//.test(file);
}

async function findTestFiles(): Promise<string[]> {
  const found: string[] = [];
  for await (const file of glob(['{packages,apps}/*/src/**/*.test.ts', '{test,bench}/**/*.test.ts'], {
    cwd: root,
    exclude: (path) => path.includes('node_modules'),
  })) {
    found.push(file);
  }
  return found.sort();
}

async function runGroup(
  group: (typeof groups)[number],
  files: readonly string[],
  asRoot: readonly string[] | undefined,
): Promise<TestCounts> {
  console.log(`\n── ${group.name}: ${files.length} files`);
  if (group.inMachine && asRoot === undefined) return failure(`${group.name}: needs root or sudo`);
  const report = join(scratch, `${group.name}.json`);
  const runner = [
    process.execPath,
    'test/runner/run-test-files.ts',
    `--report=${report}`,
    `--concurrency=${group.concurrency}`,
    `--timeout-minutes=${group.minutes}`,
    ...files,
  ];
  const command = group.inMachine
    ? [...(asRoot ?? []), 'sh', 'test/machine/run-in-machine.sh', ...runner]
    : runner;
  const code = await run(command);
  const counts = readReport(await readFile(report, 'utf8').catch(() => undefined), group.name);
  return code !== 0 && counts.failed === 0
    ? addCounts(counts, failure(`${group.name}: exit code ${code}`))
    : counts;
}

/** A program that passes or fails as a whole counts as one. */
async function check(
  name: string,
  before: readonly string[],
  command: readonly string[],
): Promise<TestCounts> {
  const begun = performance.now();
  const code = await run([...before, ...command]);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(code === 0 ? `✔ ${name}  ${seconds} s` : `✘ ${name}: exit code ${code}  ${seconds} s`);
  return code === 0 ? { ...noTests, passed: 1 } : failure(name);
}

function failure(name: string): TestCounts {
  return { ...noTests, failed: 1, failures: [name] };
}

/** What to put before a command so that it runs as root; `undefined` when there is no way. */
async function rootCommand(): Promise<string[] | undefined> {
  if (isRoot) return [];
  const sudo = await access('/usr/bin/sudo').then(
    () => true,
    () => false,
  );
  return sudo ? ['sudo', '-E', '--'] : undefined;
}

async function run(command: readonly string[]): Promise<number> {
  stopping.signal.throwIfAborted();
  const [file, ...argv] = command;
  const child = spawnProgram(file!, argv, {
    signal: stopping.signal,
    stdio: ['ignore', 'inherit', 'inherit'],
    cwd: root,
    env: passedOn(process.env),
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

function passedOn(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
