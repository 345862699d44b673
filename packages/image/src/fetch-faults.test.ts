import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { repeatedBytes } from '../../../test/servers/bad-web-server.ts';
import {
  assertFetched,
  described,
  fetchFromFaults,
  grown,
  partBytes,
  patience,
  published,
  reasonsAt,
  republished,
} from './testing/fault-case.ts';

/** What one source alone may do, and what comes of it. Several sources: fetch-mirror-faults.test.ts. */

/** They wait more than they work. */
const together = { concurrency: 8 };

/** Legal HTTP/1.1, however unusual. */
const unusualServers = [
  'ok',
  'range-unannounced',
  'range-denied-yet-given',
  'range-total-unknown',
  'range-capped?bytes=1000000',
  'range-chunked',
  'range-until-close',
  'no-range',
  'no-range-after-1',
  'chunked',
  'until-close',
  'http-1.0',
  'odd-headers',
  'early-hints',
  'processing',
  'no-keep-alive',
  'drops-keep-alive',
  'slow-head?ms=1',
  'etag-each',
  'ok?validator=none',
  'ok?validator=weak',
  'ok?validator=now',
  'redirect?hops=3',
  'redirect-expiring?uses=4',
];
describe('a server that is unusual delivers, and is not blamed', together, () => {
  for (const source of unusualServers) {
    test(source, patience, async () => {
      const outcome = await fetchFromFaults({ sources: [source] });
      assertFetched(outcome);
      // that it sends no parts is found out, and no fault
      assert.deepEqual(
        reasonsAt(outcome, 1).filter((reason) => reason !== 'RANGES_UNSUPPORTED'),
        [],
        described(outcome),
      );
    });
  }
});

/** Ranges that must not be believed, from servers whose whole file is right. */
const brokenRanges = [
  'no-content-range',
  'range-start-wrong',
  'range-total-wrong',
  'range-unit-wrong',
  'range-reversed',
  'range-huge',
  'range-nonsense',
  'range-short',
  'range-long',
  'range-unbounded',
  'multipart',
  'gzip-ranges',
  '416',
  '416-after-1',
  'length-too-small',
  'length-too-large',
];
describe('a server that cannot do ranges properly delivers the whole', together, () => {
  for (const source of brokenRanges) {
    test(source, patience, async () => {
      assertFetched(await fetchFromFaults({ sources: [source] }));
    });
  }
});

/** What goes by, and how it is recorded: the same source is asked again, and goes on where it was. */
const interruptions: readonly (readonly [source: string, times: number, reason: string])[] = [
  ['reset-once-at-10', 1, 'CONNECTION_RESET'],
  ['reset-each?bytes=400000', 16, 'CONNECTION_RESET'],
  ['stall-once-at-10', 1, 'TRANSFER_STALLED'],
  ['stall-each?bytes=900000', 1, 'TRANSFER_STALLED'],
  ['close-each?bytes=400000', 16, 'TRANSFER_CUT'],
  ['reset-once-at-10?validator=date', 1, 'CONNECTION_RESET'],
  ['reset-once-at-10?validator=none', 1, 'CONNECTION_RESET'],
  ['500-then-ok', 0, 'HTTP_SERVER_ERROR'],
];
describe('an interrupted transfer goes on where it was', together, () => {
  for (const [source, times, reason] of interruptions) {
    test(source, patience, async () => {
      const outcome = await fetchFromFaults({ sources: [source] });
      assertFetched(outcome);
      assert.ok(reasonsAt(outcome, 1).includes(reason), described(outcome));
      const repeated = repeatedBytes(outcome.asked[0]!);
      assert.ok(repeated <= times * partBytes, `${repeated} bytes were sent twice`);
    });
  }
});

describe('a server that is busy is left alone for as long as it says', together, () => {
  for (const [source, seconds] of [
    ['503-retry-after?seconds=1', 1],
    ['429-retry-after?seconds=1', 1],
    ['busy-every-other', 0],
    ['at-most-1', 0],
  ] as const) {
    test(source, patience, async () => {
      const outcome = await fetchFromFaults({ sources: [source] });
      assertFetched(outcome);
      assert.ok(outcome.seconds >= seconds);
      assert.ok(repeatedBytes(outcome.asked[0]!) <= partBytes);
    });
  }
});

describe('without a digest only a strong validator lets a transfer go on', together, () => {
  for (const [source, goesOn] of [
    ['reset-once-at-10?rate=12000000', true],
    ['reset-once-at-10?validator=date&rate=12000000', true],
    ['reset-once-at-10?validator=weak', false],
    ['reset-once-at-10?validator=now', false],
    ['reset-once-at-10?validator=none', false],
    ['reset-once-at-10?ranges=no', false],
  ] as const) {
    test(`${source} ${goesOn ? 'goes on' : 'begins anew'}`, patience, async () => {
      const outcome = await fetchFromFaults({ sources: [source], known: 'nothing' });
      assertFetched(outcome);
      const asked = outcome.asked[0]!;
      if (goesOn) {
        assert.ok(repeatedBytes(asked) <= partBytes, `${repeatedBytes(asked)} bytes were sent twice`);
      } else {
        const { from, bytesSent } = asked.at(-1)!;
        assert.deepEqual([from, bytesSent], [0, published.length], 'one answer is the whole');
      }
    });
  }
});

/** The file is published again in the middle. What is committed is one of the two versions, never some of each. */
const changes: readonly (readonly [source: string, later: Uint8Array])[] = [
  ['changes-after-1', republished],
  ['changes-after-2', republished],
  ['changes-unhonoured-after-1', republished],
  ['changes-unhonoured-after-2', republished],
  ['changes-after-1?validator=date', republished],
  ['changes-unhonoured-after-1?validator=date', republished],
  ['changes-unhonoured-after-1?validator=none', republished],
  ['changes-unhonoured-after-1?validator=weak', republished],
  ['changes-unhonoured-after-1?validator=now', republished],
  ['changes-unmarked-after-1', republished],
  ['changes-unmarked-after-1?validator=date', republished],
  ['grows-after-1', grown],
  ['grows-after-1?validator=none', grown],
];
describe('a file that changes in the middle is fetched anew, and whole', together, () => {
  for (const [source, later] of changes) {
    test(source, patience, async () => {
      const outcome = await fetchFromFaults({ sources: [source], known: 'nothing' });
      assert.ok(outcome.image, described(outcome));
      // whoever gets everything with the first answer never meets the second version
      assert.ok(outcome.image.equals(later) || outcome.image.equals(published), 'one version, whole');
    });
  }
});

/** What nobody could make an image of. Nothing is committed, and nothing is left. */
const hopeless: readonly (readonly [source: string, code: string, failureClass: string])[] = [
  ['404', 'HTTP_NOT_FOUND', 'next-host'],
  ['410', 'HTTP_NOT_FOUND', 'next-host'],
  ['401', 'HTTP_DENIED', 'next-host'],
  ['403', 'HTTP_DENIED', 'next-host'],
  ['304', 'HTTP_UNEXPECTED', 'next-host'],
  ['204', 'HTTP_UNEXPECTED', 'next-host'],
  ['500', 'HTTP_SERVER_ERROR', 'next-host'],
  ['503', 'HTTP_BUSY', 'next-host'],
  ['presigned?uses=0', 'HTTP_DENIED', 'next-host'],
  ['redirect-loop', 'REDIRECT_LIMIT', 'next-host'],
  ['redirect-nowhere', 'HTTP_UNEXPECTED', 'next-host'],
  ['redirect-to?url=file:///etc/passwd', 'SCHEME_REFUSED', 'stop'],
  ['not-http', 'HTTP_UNEXPECTED', 'next-host'],
  ['header-flood', 'HTTP_UNEXPECTED', 'next-host'],
  ['headers-endless', 'HTTP_UNEXPECTED', 'next-host'],
  ['length-negative', 'HTTP_UNEXPECTED', 'next-host'],
  ['length-nonsense', 'HTTP_UNEXPECTED', 'next-host'],
  ['length-twice', 'HTTP_UNEXPECTED', 'next-host'],
  ['chunk-size-wrong', 'HTTP_UNEXPECTED', 'next-host'],
  ['hang', 'TRANSFER_STALLED', 'next-host'],
  ['trickle', 'TRANSFER_STALLED', 'next-host'],
  ['close', 'TRANSFER_CUT', 'next-host'],
  ['web-page', 'WEB_PAGE', 'next-host'],
  ['wrong-content-encoding', 'CONTENT_ENCODING', 'next-host'],
  ['other-file', 'DIGEST_MISMATCH', 'next-host'],
  ['corrupt', 'DIGEST_MISMATCH', 'next-host'],
  ['changes-silently-after-1', 'DIGEST_MISMATCH', 'next-host'],
  ['until-close-cut', 'DIGEST_MISMATCH', 'next-host'],
  ['long', 'DIGEST_MISMATCH', 'next-host'],
];
describe('a source that does not have the image is refused, with the reason', together, () => {
  for (const [source, code, failureClass] of hopeless) {
    test(source, patience, async () => {
      const { failure, image } = await fetchFromFaults({ sources: [source] });
      assert.equal(image, undefined);
      assert.deepEqual([failure?.code, failure?.failureClass], [code, failureClass]);
    });
  }
});

test(
  'a server that breaks when it is asked ahead is asked for one part after the other',
  patience,
  async () => {
    for (const known of ['digest', 'nothing'] as const) {
      const outcome = await fetchFromFaults({ sources: ['cuts-pipelined'], known });
      assertFetched(outcome);
      assert.ok(outcome.attempts.length <= 3, described(outcome));
    }
  },
);

test('a source that is corrupt once is right the second time', patience, async () => {
  const outcome = await fetchFromFaults({ sources: ['corrupt-once?times=1'] });
  assertFetched(outcome);
});

test('no bytes but the image are ever asked of a good source', patience, async () => {
  for (const known of ['digest', 'nothing'] as const) {
    const { asked } = await fetchFromFaults({ sources: ['ok'], known });
    assert.equal(repeatedBytes(asked[0]!), 0);
  }
});
