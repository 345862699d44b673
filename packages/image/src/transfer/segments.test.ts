import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeSlabPool } from '../memory/slab-pool.ts';
import { type Assignment, makeSegments } from './segments.ts';

const segmentBytes = 4096;
const sizeBytes = 5 * segmentBytes + 1;
const everything = Number.POSITIVE_INFINITY;

test('a segment that has arrived is not stolen from whoever was overtaken and has not given it back', () => {
  const segments = makeSegments({ segmentBytes, sizeBytes: segmentBytes, kept: [] });
  const slow = segments.take({ source: 1, rate: undefined, now: 0, limit: everything });
  const fast = { source: 2, rate: 1e9, now: 60_000, limit: everything };
  const stolen = segments.take(fast);
  assert.equal(stolen?.segment, slow?.segment);
  assert.ok(segments.arrived(stolen!));
  assert.equal(segments.take(fast), undefined);
  segments.giveBack(slow!);
  assert.ok(segments.complete);
});

test('whatever sources take, deliver and give back, each segment counts once and nothing is lost', () => {
  const action = fc.record({
    source: fc.integer({ min: 1, max: 3 }),
    kind: fc.constantFrom('take', 'arrive', 'give-back', 'fill'),
    which: fc.nat({ max: 9 }),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), fc.subarray([0, 1, 2, 3, 4, 5]), (actions, kept) => {
      using pool = makeSlabPool({ slabBytes: segmentBytes, count: 40 });
      const segments = makeSegments({ segmentBytes, sizeBytes, kept });
      const open: Assignment[] = [];
      const arrived = new Set(kept);
      let now = 0;
      const finish = (assignment: Assignment) => {
        open.splice(open.indexOf(assignment), 1);
        if (!segments.arrived(assignment)) assignment.slab?.release();
        else {
          assert.ok(!arrived.has(assignment.segment), 'nothing arrives twice');
          arrived.add(assignment.segment);
          assignment.slab?.release();
        }
      };
      for (const { source, kind, which } of actions) {
        now += 10_000;
        const assignment = open[which % Math.max(1, open.length)];
        if (kind === 'take') {
          const taken = segments.take({ source, rate: 1e6, now, limit: everything });
          if (taken) open.push(taken);
        } else if (assignment && kind === 'fill') {
          assignment.slab ??= pool.tryAcquire();
          if (assignment.slab) assignment.filled = Math.min(assignment.filled + 100, segmentBytes - 1);
        } else if (assignment && kind === 'arrive') finish(assignment);
        else if (assignment && kind === 'give-back') {
          open.splice(open.indexOf(assignment), 1);
          segments.giveBack(assignment, which % 2 === 0);
        }
        const done = [...arrived].reduce((sum, segment) => sum + segments.lengthOf(segment), 0);
        assert.equal(segments.doneBytes, done);
      }
      for (const assignment of [...open]) finish(assignment);
      for (let rest = segments.take({ source: 9, rate: 1, now, limit: everything }); rest; ) {
        open.push(rest);
        finish(rest);
        rest = segments.take({ source: 9, rate: 1, now, limit: everything });
      }
      assert.ok(segments.complete);
      segments.clear();
      assert.equal(pool.free, 40, 'no memory is held');
    }),
  );
});
