import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { countTest, noTests, type TestCounts } from './test-counts.ts';

/**
 * Runs test files, each in a process of its own, and leaves their counts as JSON in a file:
 * run-test-files.ts --report FILE --concurrency N --timeout-minutes N FILE…
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    report: { type: 'string' },
    concurrency: { type: 'string', default: '1' },
    'timeout-minutes': { type: 'string', default: '10' },
  },
});

const root = process.cwd();
let counts: TestCounts = noTests;
const stream = run({
  files: positionals,
  concurrency: Number(values.concurrency),
  timeout: Number(values['timeout-minutes']) * 60_000,
});
const inRoot = (file: string | undefined) => (file === undefined ? undefined : relative(root, file));
stream.on('test:pass', (data) => {
  counts = countTest(counts, 'pass', { ...data, file: inRoot(data.file) });
});
stream.on('test:fail', (data) => {
  counts = countTest(counts, 'fail', { ...data, file: inRoot(data.file) });
});
await pipeline(stream, new spec(), process.stdout, { end: false });
if (values.report !== undefined) writeFileSync(values.report, JSON.stringify(counts));
process.exit(counts.failed === 0 ? 0 : 1);
