import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bestPeer, boundOf, judge, judgeOverall, secondsOf } from './judge.ts';
import type { Entry, Target } from './results.ts';
import { median } from './statistics.ts';

const entry = (
  name: string,
  kind: Entry['kind'],
  seconds: readonly number[],
  more: Partial<Entry> = {},
): Entry => ({
  name,
  kind,
  verifies: kind !== 'bound',
  runs: seconds.map((each) => ({
    seconds: each,
    cpuSeconds: 1,
    writtenBytes: 1000,
    largestProcessBytes: 100e6,
    allProcessesBytes: 120e6,
  })),
  ...more,
});

const entries = [
  entry('Millrace, agent', 'millrace', [1.2, 1, 5]),
  entry('CloudStack', 'cloudstack', [4.8]),
  entry('curl | tee', 'peer', [4]),
  entry('aria2c', 'peer', [3.6]),
  entry('nbdkit', 'peer', [1.1], { verifies: false }),
  entry('gone wrong', 'peer', [0.1], { failure: 'exit code 1' }),
  entry('hash', 'bound', [1]),
  entry('network', 'bound', [0.5]),
];
const target = (facts: Pick<Target, 'of' | 'to' | 'atLeast' | 'atMost'>): Target => ({
  text: 'x',
  column: 'bound',
  ...facts,
});

test('the median of an even number of values is between the middle ones', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(median([]), undefined);
});

test('the best peer is the fastest that verifies and has not failed', () => {
  assert.equal(bestPeer(entries)?.name, 'aria2c');
  assert.equal(secondsOf(entries.find(({ name }) => name === 'gone wrong')), undefined);
});

test('a bound is the slowest part of what has to be passed, or the fastest way', () => {
  assert.equal(boundOf(entries, 'slowest'), 1);
  assert.equal(boundOf(entries, 'fastest'), 0.5);
  assert.equal(boundOf(entries, { seconds: 7 }), 7);
  // an unmeasured bound would make the others look like the whole
  assert.equal(boundOf([...entries, entry('disk', 'bound', [], { failure: 'full' })], 'slowest'), undefined);
  assert.equal(boundOf([...entries, entry('disk', 'bound', [], { missing: 'dd' })], 'slowest'), 1);
});

test('targets are ratios of medians', () => {
  const judged = judge(
    [
      target({ of: 'cloudstack', to: 'millrace', atLeast: 4 }),
      target({ of: 'peer', to: 'millrace', atLeast: 3.5 }),
      target({ of: 'millrace', to: 'bound', atMost: 1.2 }),
      target({ of: 'millrace', to: { entry: 'CloudStack' }, atMost: 0.2 }),
    ],
    entries,
    'slowest',
  );
  assert.deepEqual(
    judged.map(({ value, met }) => [value, met]),
    [
      ['4.00×', true],
      ['3.00×', false],
      ['1.20×', true],
      ['0.25×', false],
    ],
  );
});

test('what was not measured is neither met nor missed', () => {
  const judged = judge(
    [target({ of: 'cloudstack', to: { entry: 'nobody' }, atLeast: 1 })],
    entries,
    'slowest',
  );
  assert.deepEqual(judged, [{ text: 'x', column: 'bound' }]);
});

test('bytes and memory are judged over the cases that ran', () => {
  const of = (name: string, bytes: number) => ({
    name,
    imageBytes: bytes,
    dataBytes: bytes,
    entries: [entry('Millrace, agent', 'millrace', [1])],
  });
  const met = (cases: Parameters<typeof judgeOverall>[0]) =>
    judgeOverall(cases).map(({ value, met: reached }) => [value, reached]);
  assert.deepEqual(met([of('qcow2', 1000), of('small', 10)]), [
    ['1.000', true],
    ['120 MB (qcow2)', true],
    ['1.00× (120 MB, 120 MB)', true],
  ]);
  assert.deepEqual(met([of('raw', 900)]), [
    ['1.111', false],
    ['120 MB (raw)', true],
    [undefined, undefined],
  ]);
});
