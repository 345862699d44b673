import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeCourse } from './course.ts';
import { type FetchErrorCode, FetchFault, fetchErrors } from './errors.ts';
import type { FetchPlan } from './plan.ts';

function planOf(...names: string[]): FetchPlan {
  return {
    metalink: true,
    sources: names.map((name, index) => ({ url: `http://${name}/x`, rank: index + 1 })),
    expectedDigest: { algorithm: 'SHA-256', hex: '0'.repeat(64) },
    expectedBytes: undefined,
    pieces: undefined,
    piecesSuffice: false,
    signature: undefined,
    mirrorsKnown: true,
    warnings: [],
  };
}

/** Plays failures and tells where each was met, as `source/checksum attempt/try`. */
function play(
  course: ReturnType<typeof makeCourse>,
  codes: readonly (FetchErrorCode | [FetchErrorCode, number])[],
) {
  const met: string[] = [];
  for (const entry of codes) {
    const [code, bytes] = typeof entry === 'string' ? [entry, 0] : entry;
    const [spot] = course.startable(new Set());
    assert.ok(spot);
    const { source, checksumAttempt, tryNumber } = spot;
    met.push(`${new URL(source.url).hostname}/${checksumAttempt}/${tryNumber}`);
    const decision = course.afterFailure(spot, {
      fault: new FetchFault(code, ''),
      bytes,
      resumes: false,
      digest: 'not-verified',
      random: 0,
    });
    if (decision.next === 'next-host' || decision.next === 'stop') return { met, end: decision.next };
  }
  return { met, end: undefined };
}

test('wrong bytes lead to the next source and come round to the first one last', () => {
  const course = makeCourse(planOf('a', 'b'), { checksumAttempts: 4, maxSources: 4 });
  const { met, end } = play(course, [
    'DIGEST_MISMATCH',
    'DIGEST_MISMATCH',
    'DIGEST_MISMATCH',
    'DIGEST_MISMATCH',
  ]);
  assert.deepEqual(met, ['a/1/1', 'b/2/1', 'a/3/1', 'b/4/1']);
  assert.equal(end, 'next-host');
  assert.equal(course.verdict().code, 'DIGEST_MISMATCH');
});

test('a source that was given up is not asked again, in no later checksum attempt either', () => {
  const course = makeCourse(planOf('a', 'b', 'c'), { checksumAttempts: 3, maxSources: 4 });
  const { met, end } = play(course, [
    'HTTP_NOT_FOUND',
    'DIGEST_MISMATCH',
    'DIGEST_MISMATCH',
    'CONNECT_REFUSED',
    'CONNECTION_RESET',
    'CONNECTION_RESET',
    'CONNECTION_RESET',
  ]);
  assert.deepEqual(met, ['a/1/1', 'b/1/1', 'c/2/1', 'b/3/1', 'c/3/1', 'c/3/2', 'c/3/3']);
  assert.equal(end, 'next-host');
  assert.equal(course.verdict().code, 'ALL_SOURCES_FAILED');
});

test('tries that get further renew the budget, within a bound', () => {
  const course = makeCourse(planOf('a'), { checksumAttempts: 3, maxSources: 4 });
  const reset = (mib: number): [FetchErrorCode, number] => ['CONNECTION_RESET', mib * 1024 * 1024];
  assert.equal(play(course, [reset(1), reset(2), reset(3), reset(4), reset(5), reset(6)]).met.length, 5);
  const stuck = makeCourse(planOf('a'), { checksumAttempts: 3, maxSources: 4 });
  assert.equal(play(stuck, [reset(1), reset(1.1), reset(1.2), reset(1.3)]).met.length, 3);
});

test('a refusal is the verdict whatever failed after it', () => {
  const course = makeCourse(planOf('a', 'b'), { checksumAttempts: 3, maxSources: 4 });
  const { end } = play(course, ['IMAGE_BACKING_FILE', 'HTTP_NOT_FOUND']);
  assert.equal(end, 'stop');
  assert.equal(course.verdict().code, 'IMAGE_BACKING_FILE');
});

test('when every source is refused by the policy the verdict says so and stops', () => {
  const course = makeCourse(planOf('a', 'b'), { checksumAttempts: 3, maxSources: 4 });
  assert.equal(play(course, ['EGRESS_REFUSED', 'SCHEME_REFUSED']).end, 'stop');
  assert.equal(course.verdict().code, 'SCHEME_REFUSED');
  const mixed = makeCourse(planOf('a', 'b'), { checksumAttempts: 3, maxSources: 4 });
  assert.equal(play(mixed, ['HTTP_NOT_FOUND', 'EGRESS_REFUSED']).end, 'next-host');
  assert.equal(mixed.verdict().code, 'ALL_SOURCES_FAILED');
});

test('the failure of a single source is told under its own code', () => {
  const course = makeCourse(planOf('a'), { checksumAttempts: 3, maxSources: 4 });
  play(course, ['HTTP_NOT_FOUND']);
  assert.equal(course.verdict().code, 'HTTP_NOT_FOUND');
  assert.match(course.verdict().message, /^http:\/\/a\/x: /);
});

test('every course ends, within a bound set by sources, checksum attempts and tries', () => {
  const codes = fc.constantFrom(...(Object.keys(fetchErrors) as FetchErrorCode[]));
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 4 }),
      fc.infiniteStream(fc.tuple(codes, fc.nat())),
      (sources, checksumAttempts, failures) => {
        const course = makeCourse(planOf(...Array.from({ length: sources }, (_, i) => `s${i}`)), {
          checksumAttempts,
          maxSources: 4,
        });
        const most = (sources + checksumAttempts) * 5;
        for (let step = 0; step < most; step++) {
          const [code, bytes] = failures.next().value;
          const fault = new FetchFault(code, '');
          const [spot] = course.startable(new Set());
          assert.ok(spot);
          const failed = { fault, bytes, resumes: false, digest: 'not-verified', random: 0 } as const;
          const { next } = course.afterFailure(spot, failed);
          if (next === 'next-host' || next === 'stop') {
            assert.ok(course.verdict().message.length > 0);
            return;
          }
        }
        assert.fail(`still going after ${most} failures`);
      },
    ),
  );
});
