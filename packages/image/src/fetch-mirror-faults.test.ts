import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type RequestRecord, repeatedBytes } from '../../../test/servers/bad-web-server.ts';
import {
  assertFetched,
  described,
  fetchFromFaults,
  partBytes,
  patience,
  pieceBytes,
  published,
  reasonsAt,
  republished,
} from './testing/fault-case.ts';

/** They wait more than they work. */
const together = { concurrency: 8 };
const bytesOf = (asked: readonly RequestRecord[]) => asked.reduce((sum, { bytesSent }) => sum + bytesSent, 0);

/** What is wrong with the first mirror, how that is recorded, and how often it is asked at most: no more than this. */
const badMirrors: readonly (readonly [source: string, reason: RegExp, mostRequests: number])[] = [
  ['401', /^HTTP_DENIED$/, 1],
  ['403', /^HTTP_DENIED$/, 1],
  ['404', /^HTTP_NOT_FOUND$/, 1],
  ['410', /^HTTP_NOT_FOUND$/, 1],
  ['204', /^HTTP_UNEXPECTED$/, 1],
  ['304', /^HTTP_UNEXPECTED$/, 1],
  ['412', /^HTTP_REJECTED$|^SOURCE_CHANGED$/, 3],
  ['500', /^HTTP_SERVER_ERROR$/, 3],
  ['503', /^HTTP_BUSY$/, 3],
  ['presigned?uses=0', /^HTTP_DENIED$/, 1],
  ['close', /^TRANSFER_CUT$/, 3],
  ['hang', /^TRANSFER_STALLED$/, 2],
  ['trickle', /^TRANSFER_STALLED$/, 2],
  ['not-http', /^HTTP_UNEXPECTED$/, 1],
  ['header-flood', /^HTTP_UNEXPECTED$/, 1],
  ['headers-endless', /^HTTP_UNEXPECTED$/, 1],
  // legal (RFC 9110 §15.2), and more than the HTTP client understands
  ['continue-unasked', /^TRANSFER_CUT$/, 2],
  ['length-negative', /^HTTP_UNEXPECTED$/, 1],
  ['length-twice', /^HTTP_UNEXPECTED$/, 1],
  ['length-and-chunks', /^HTTP_UNEXPECTED$/, 1],
  ['chunk-size-wrong', /^HTTP_UNEXPECTED$/, 1],
  ['redirect-loop', /^REDIRECT_LIMIT$/, 1],
  ['redirect-nowhere', /^HTTP_UNEXPECTED$/, 1],
  ['wrong-content-encoding', /^CONTENT_ENCODING$/, 2],
  ['web-page', /^LENGTH_TOO_SHORT$|^WEB_PAGE$/, 1],
  ['empty', /^LENGTH_TOO_SHORT$|^IMAGE_EMPTY$/, 1],
  ['short-declared', /^LENGTH_TOO_SHORT$/, 1],
  ['long-declared', /^LENGTH_TOO_LONG$/, 1],
  ['grows-after-0', /^LENGTH_TOO_LONG$/, 1],
];
describe('a mirror that is no good is left, and not asked again', together, () => {
  for (const [source, reason, mostRequests] of badMirrors) {
    test(source, patience, async () => {
      const outcome = await fetchFromFaults({ sources: [source, 'ok'] });
      assertFetched(outcome);
      assert.ok(
        reasonsAt(outcome, 1).some((one) => reason.test(one)),
        described(outcome),
      );
      const bad = outcome.asked[0]!;
      assert.ok(bad.length <= mostRequests, `${bad.length} requests to the bad mirror`);
      assert.equal(repeatedBytes(outcome.asked[1]!), 0, 'the good mirror sends every byte once');
    });
  }
});

/** Mirrors that go bad after they have sent something: what they sent counts. */
const failingMirrors = [
  'reset-at-70',
  'close-at-70',
  'stall-at-70',
  '403-after-1',
  '404-after-1',
  '500-after-1',
  'hang-after-1',
  'close-after-1',
  'not-http-after-1',
  '416-after-1',
  'presigned?uses=1',
];
describe('what a mirror sent before it failed is kept', together, () => {
  for (const source of failingMirrors) {
    test(source, patience, async () => {
      const outcome = await fetchFromFaults({ sources: [source, 'ok'] });
      assertFetched(outcome);
      const repeated = repeatedBytes(outcome.asked.flat());
      assert.ok(repeated <= 2 * partBytes, `${repeated} bytes were sent twice`);
    });
  }
});

/** Wrong bytes, under heads that are right. */
const lyingMirrors = [
  'corrupt',
  'corrupt-ranges',
  'corrupt-every-3',
  'other-file',
  'other-file-ranges',
  'range-shifted',
  'range-from-zero',
  'unsolicited-bytes',
  'unsolicited-answer',
  'changes-after-1',
  'changes-unhonoured-after-1',
  'changes-silently-after-1',
  'changes-unmarked-after-1',
  'grows-after-1',
  'until-close-cut',
  'long',
  'web-page-ranges',
];
describe('a mirror that lies cannot keep an honest one from delivering', together, () => {
  for (const source of lyingMirrors) {
    for (const alike of [false, true]) {
      test(`${source}${alike ? ', beside it' : ', after it'}`, patience, async () => {
        assertFetched(await fetchFromFaults({ sources: [source, 'ok'], alike }));
      });
    }
  }
});

describe('with the digests of pieces a wrong piece costs that piece', together, () => {
  for (const [source, wrongPieces] of [
    ['corrupt', 1],
    [`corrupt-every-8?piece=${pieceBytes}`, 6],
    ['corrupt-ranges', 1],
  ] as const) {
    for (const alike of [false, true]) {
      test(`${source}${alike ? ', beside a good mirror' : ', before a good mirror'}`, patience, async () => {
        const outcome = await fetchFromFaults({ sources: [source, 'ok'], alike, known: 'digest-and-pieces' });
        assertFetched(outcome);
        const sent = bytesOf(outcome.asked.flat());
        const allowed = published.length + (wrongPieces + 2) * partBytes;
        assert.ok(sent <= allowed, `${sent} bytes were sent, of ${published.length}\n${described(outcome)}`);
      });
    }
  }
});

test(
  'with the digests of pieces a single source repeats only the piece that was wrong',
  patience,
  async () => {
    const outcome = await fetchFromFaults({ sources: ['corrupt-once'], known: 'digest-and-pieces' });
    assertFetched(outcome);
    assert.ok(repeatedBytes(outcome.asked[0]!) <= 2 * partBytes);
  },
);

test(
  'a mirror that ends a piece which another one began wrongly is not blamed for it',
  patience,
  async () => {
    for (const alike of [false, true]) {
      const sources = ['other-file-cut?bytes=100000', 'ok'];
      const outcome = await fetchFromFaults({ sources, alike, known: 'digest-and-pieces' });
      assertFetched(outcome);
      assert.deepEqual(reasonsAt(outcome, 2), [], described(outcome));
    }
  },
);

test('two mirrors of unknown bytes are never mixed', patience, async () => {
  for (const known of ['nothing', 'size'] as const) {
    for (const alike of [false, true]) {
      for (const sources of [
        ['reset-at-50', 'other-file'],
        ['close-at-70', 'other-file'],
        ['other-file', 'ok'],
      ]) {
        const outcome = await fetchFromFaults({ sources, known, alike });
        assert.ok(outcome.image, described(outcome));
        assert.ok(outcome.image.equals(published) || outcome.image.equals(republished), 'one file, whole');
      }
    }
  }
});

test('mirrors of one rank share the work, and every byte moves once', patience, async () => {
  const outcome = await fetchFromFaults({
    sources: ['ok?rate=10000000', 'ok?rate=10000000', 'ok?rate=10000000'],
    alike: true,
  });
  assertFetched(outcome);
  const shares = outcome.asked.map(bytesOf);
  assert.ok(
    shares.every((share) => share > 0),
    `the shares are ${shares}`,
  );
  assert.ok(repeatedBytes(outcome.asked.flat()) <= 2 * partBytes);
});

test('a mirror of a lower rank is not asked while a better one works', patience, async () => {
  const outcome = await fetchFromFaults({ sources: ['ok', 'ok'] });
  assertFetched(outcome);
  assert.equal(outcome.asked[1]!.length, 0);
});

test('a slow mirror does not hold a fast one of the same rank up', patience, async () => {
  const outcome = await fetchFromFaults({ sources: ['ok?rate=30000', 'ok'], alike: true });
  assertFetched(outcome);
  assert.ok(outcome.seconds < 10, `it took ${outcome.seconds} s`);
});

test('three mirrors, one dead and one corrupting, still deliver', patience, async () => {
  const sources = ['close', `corrupt-every-8?piece=${pieceBytes}`, 'ok'];
  const outcome = await fetchFromFaults({ sources, alike: true, known: 'digest-and-pieces' });
  assertFetched(outcome);
});
