import assert from 'node:assert/strict';
import test from 'node:test';
import { addCounts, closingLine, countTest, noTests, readReport } from './test-counts.ts';

test('passed, failed and skipped tests are counted apart', () => {
  let counts = countTest(noTests, 'pass', { name: 'a' });
  counts = countTest(counts, 'pass', { name: 'b', skip: 'needs root' });
  counts = countTest(counts, 'pass', { name: 'c', skip: '' });
  counts = countTest(counts, 'fail', { name: 'e', file: 'x.test.ts' });
  assert.deepEqual(counts, { passed: 1, failed: 1, skipped: 2, failures: ['x.test.ts: e'] });
});

test('a suite is no test, but one that fails is a failure', () => {
  const suite = { name: 's', details: { type: 'suite' } };
  assert.equal(countTest(noTests, 'pass', suite).passed, 0);
  assert.equal(countTest(noTests, 'fail', suite).failed, 1);
});

test('a run without a whole report has failed', () => {
  for (const text of [undefined, '', '{', '{"passed": 3}', 'null']) {
    assert.deepEqual(readReport(text, 'e2e').failures, ['e2e: the run ended without a report']);
  }
  const counts = { passed: 3, failed: 1, skipped: 0, failures: ['x'] };
  assert.deepEqual(readReport(JSON.stringify(counts), 'e2e'), counts);
});

test('the closing line sums up all runs', () => {
  const sum = addCounts({ ...noTests, passed: 2 }, { ...noTests, failed: 1 }, { ...noTests, skipped: 4 });
  assert.equal(closingLine(sum), '2 passed, 1 failed, 4 skipped');
});
