import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Decision,
  type FetchErrorCode,
  fetchErrors,
  nextAfterFailure,
  type Outcome,
  type Situation,
} from './index.ts';

const first: Situation = {
  tries: 1,
  triesWithoutProgress: 1,
  resumes: false,
  otherSources: 1,
  checksumAttempt: 1,
  checksumAttempts: 3,
  digest: 'not-verified',
  onlyPolicyRefusals: false,
  earlierRefusal: false,
  retryAfterMs: undefined,
  random: 0,
};

const table: readonly (readonly [FetchErrorCode, Partial<Situation>, Decision['next']])[] = [
  // likely to be gone in a moment: the same source, within a small budget that only progress renews
  ['CONNECTION_RESET', {}, 'same-source'],
  ['CONNECTION_RESET', { tries: 2, triesWithoutProgress: 2 }, 'same-source'],
  ['CONNECTION_RESET', { tries: 3, triesWithoutProgress: 3 }, 'next-source'],
  ['CONNECTION_RESET', { tries: 4, triesWithoutProgress: 1 }, 'same-source'],
  ['CONNECTION_RESET', { tries: 5, triesWithoutProgress: 1 }, 'next-source'],
  ['CONNECTION_RESET', { tries: 3, triesWithoutProgress: 3, otherSources: 0 }, 'next-host'],
  ['HTTP_SERVER_ERROR', {}, 'same-source'],
  ['HTTP_SERVER_ERROR', { tries: 3, triesWithoutProgress: 3 }, 'next-source'],
  ['HTTP_BUSY', {}, 'same-source'],
  ['TRANSFER_STALLED', {}, 'same-source'],
  ['TRANSFER_STALLED', { tries: 2, triesWithoutProgress: 2 }, 'next-source'],
  ['TRANSFER_CUT', {}, 'same-source'],
  ['TRANSFER_CUT', { tries: 2, triesWithoutProgress: 2 }, 'next-source'],
  // of no use now
  ['HTTP_NOT_FOUND', {}, 'next-source'],
  ['HTTP_NOT_FOUND', { otherSources: 0 }, 'next-host'],
  ['HTTP_DENIED', {}, 'next-source'],
  ['HTTP_REJECTED', {}, 'next-source'],
  ['CONNECT_REFUSED', {}, 'next-source'],
  ['CONNECT_TIMEOUT', {}, 'next-source'],
  ['HOST_NOT_FOUND', {}, 'next-source'],
  ['TLS_FAILED', {}, 'next-source'],
  ['LENGTH_TOO_SHORT', {}, 'next-source'],
  ['LENGTH_TOO_LONG', {}, 'next-source'],
  ['CONTENT_ENCODING', {}, 'next-source'],
  ['WEB_PAGE', { otherSources: 0 }, 'next-host'],
  // the policy: final only when nothing else was ever possible
  ['EGRESS_REFUSED', {}, 'next-source'],
  ['EGRESS_REFUSED', { otherSources: 0, onlyPolicyRefusals: true }, 'stop'],
  ['EGRESS_REFUSED', { otherSources: 0, onlyPolicyRefusals: false }, 'next-host'],
  ['SCHEME_REFUSED', { otherSources: 0, onlyPolicyRefusals: true }, 'stop'],
  // wrong bytes
  ['DIGEST_MISMATCH', {}, 'next-checksum-attempt'],
  ['DIGEST_MISMATCH', { otherSources: 0, checksumAttempt: 2 }, 'next-checksum-attempt'],
  ['DIGEST_MISMATCH', { checksumAttempt: 3 }, 'next-host'],
  ['DIGEST_MISMATCH', { checksumAttempts: 1 }, 'next-host'],
  ['ARCHIVE_BROKEN', {}, 'next-checksum-attempt'],
  ['ARCHIVE_BROKEN', { digest: 'matched' }, 'stop'],
  ['ARCHIVE_BROKEN', { digest: 'none-expected' }, 'next-source'],
  ['ARCHIVE_BROKEN', { digest: 'none-expected', otherSources: 0 }, 'next-host'],
  ['IMAGE_TRUNCATED', { digest: 'matched' }, 'stop'],
  // refused images: never the same source again, and never in the end
  ['IMAGE_BACKING_FILE', { digest: 'none-expected' }, 'stop'],
  ['IMAGE_BACKING_FILE', { digest: 'matched' }, 'stop'],
  ['IMAGE_BACKING_FILE', { digest: 'not-verified' }, 'next-source'],
  ['IMAGE_BACKING_FILE', { digest: 'not-verified', otherSources: 0 }, 'stop'],
  ['UNPACKED_TOO_LARGE', { digest: 'none-expected' }, 'stop'],
  ['TRANSFER_TOO_LARGE', { digest: 'none-expected' }, 'stop'],
  ['HTTP_NOT_FOUND', { otherSources: 0, earlierRefusal: true }, 'stop'],
  ['DIGEST_MISMATCH', { checksumAttempt: 3, earlierRefusal: true }, 'stop'],
  // nothing wrong with the sources
  ['POOL_FULL', {}, 'next-host'],
  ['POOL_UNAVAILABLE', {}, 'next-host'],
  ['DECODER_MISSING', {}, 'next-host'],
  ['COMMIT_SIZE_WRONG', {}, 'next-host'],
  // nothing would help
  ['CANCELLED', {}, 'stop'],
  ['REQUEST_MALFORMED', {}, 'stop'],
  ['METALINK_UNUSABLE', {}, 'stop'],
];

for (const [code, change, next] of table) {
  const when = Object.entries(change).map(([key, value]) => `${key} ${value}`);
  test(`${code}${when.length > 0 ? ` with ${when.join(', ')}` : ''} leads to ${next}`, () => {
    assert.equal(nextAfterFailure(code, { ...first, ...change }).next, next);
  });
}

function delayAfter(change: Partial<Situation>): number {
  const decision = nextAfterFailure('HTTP_BUSY', { ...first, ...change });
  assert.equal(decision.next, 'same-source');
  return decision.next === 'same-source' ? decision.delayMs : Number.NaN;
}

test('the wait doubles, has jitter, and obeys Retry-After up to a cap', () => {
  assert.equal(delayAfter({}), 125);
  assert.equal(delayAfter({ random: 1 }), 250);
  assert.equal(delayAfter({ tries: 2, triesWithoutProgress: 2 }), 250);
  assert.equal(delayAfter({ retryAfterMs: 7000 }), 7000);
  assert.equal(delayAfter({ retryAfterMs: 3_600_000 }), 30_000);
  assert.equal(delayAfter({ retryAfterMs: 0 }), 0);
});

const anySituation: fc.Arbitrary<Situation> = fc.record({
  tries: fc.integer({ min: 1, max: 20 }),
  triesWithoutProgress: fc.integer({ min: 1, max: 20 }),
  resumes: fc.boolean(),
  otherSources: fc.nat({ max: 5 }),
  checksumAttempt: fc.integer({ min: 1, max: 5 }),
  checksumAttempts: fc.integer({ min: 1, max: 5 }),
  digest: fc.constantFrom('none-expected', 'not-verified', 'matched'),
  onlyPolicyRefusals: fc.boolean(),
  earlierRefusal: fc.boolean(),
  retryAfterMs: fc.option(fc.nat(), { nil: undefined }),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
});
const anyCode = fc.constantFrom(...(Object.keys(fetchErrors) as FetchErrorCode[]));

test('no decision leads to a source that is not there, or to more tries than the budget', () => {
  fc.assert(
    fc.property(anyCode, anySituation, (code, situation) => {
      const decision = nextAfterFailure(code, situation);
      if (decision.next === 'next-source') assert.ok(situation.otherSources > 0);
      if (decision.next === 'next-checksum-attempt') {
        assert.ok(situation.checksumAttempt < situation.checksumAttempts);
      }
      if (decision.next === 'same-source') {
        // where tries go on where they ended, only those that get no further count
        assert.ok(situation.resumes || situation.tries < 5);
        assert.ok(decision.delayMs >= 0 && decision.delayMs <= 30_000);
      }
    }),
  );
});

test('a refused image is never asked for again from the same source and never sent to another host', () => {
  fc.assert(
    fc.property(anyCode, anySituation, (code, situation) => {
      const outcome: Outcome = fetchErrors[code].outcome;
      fc.pre(outcome === 'refused');
      assert.ok(['stop', 'next-source'].includes(nextAfterFailure(code, situation).next));
    }),
  );
});

test('every error says what happened and what to do next', () => {
  for (const [code, { summary, nextStep }] of Object.entries(fetchErrors)) {
    assert.match(code, /^[A-Z][A-Z0-9_]+$/);
    assert.ok(summary.length > 10 && !summary.endsWith('.'), code);
    assert.ok(nextStep.length > 10 && !nextStep.endsWith('.'), code);
  }
});
