import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BadWebServer, startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import { fetchOnce, image, reasons, serveMetalink, sha256, unusedPort } from './testing/fetch-case.ts';
import { requestFor } from './testing/request.ts';

let server: BadWebServer;

test.beforeEach(async () => {
  server = await startBadWebServer({ files: { image } });
});
test.afterEach(() => server.close());

const deadPort = await unusedPort();
const dead = () => `http://127.0.0.1:${deadPort}/image`;

/** Each fault of a first mirror: how it is recorded, and that the second mirror then delivers. */
const mirrorFaults: readonly (readonly [name: string, url: () => string, recorded: readonly string[]])[] = [
  ['is dead', () => dead(), ['CONNECT_REFUSED → next-source']],
  ['has a name that does not resolve', () => 'http://mirror.invalid/image', ['HOST_NOT_FOUND → next-source']],
  ['answers 404', () => server.url('404', 'image'), ['HTTP_NOT_FOUND → next-source']],
  ['answers 410', () => server.url('410', 'image'), ['HTTP_NOT_FOUND → next-source']],
  ['answers 403', () => server.url('403', 'image'), ['HTTP_DENIED → next-source']],
  ['answers 401', () => server.url('401', 'image'), ['HTTP_DENIED → next-source']],
  ['answers 204', () => server.url('204', 'image'), ['HTTP_UNEXPECTED → next-source']],
  [
    'answers 500 every time',
    () => server.url('500', 'image'),
    ['HTTP_SERVER_ERROR → same-source', 'HTTP_SERVER_ERROR → same-source', 'HTTP_SERVER_ERROR → next-source'],
  ],
  [
    'resets at half every time',
    () => server.url('reset-at-50', 'image'),
    ['CONNECTION_RESET → same-source', 'CONNECTION_RESET → same-source', 'CONNECTION_RESET → next-source'],
  ],
  [
    'stalls at half every time',
    () => server.url('stall-at-50', 'image'),
    ['TRANSFER_STALLED → same-source', 'TRANSFER_STALLED → next-source'],
  ],
  [
    'closes before it answers',
    () => server.url('close', 'image'),
    ['TRANSFER_CUT → same-source', 'TRANSFER_CUT → next-source'],
  ],
  [
    'sends less than it promised',
    () => server.url('short', 'image'),
    ['TRANSFER_CUT → same-source', 'TRANSFER_CUT → next-source'],
  ],
  [
    'ends its chunks in the middle',
    () => server.url('chunked-cut', 'image'),
    ['TRANSFER_CUT → same-source', 'TRANSFER_CUT → next-source'],
  ],
  ['has a shorter file', () => server.url('short-declared', 'image'), ['LENGTH_TOO_SHORT → next-source']],
  ['has a longer file', () => server.url('long-declared', 'image'), ['LENGTH_TOO_LONG → next-source']],
  ['sends more than the image', () => server.url('long', 'image'), ['LENGTH_TOO_LONG → next-source']],
  ['sends a corrupt byte', () => server.url('corrupt', 'image'), ['DIGEST_MISMATCH → next-checksum-attempt']],
  ['redirects in a circle', () => server.url('redirect-loop', 'image'), ['REDIRECT_LIMIT → next-source']],
  ['redirects to nowhere', () => server.url('redirect-nowhere', 'image'), ['HTTP_UNEXPECTED → next-source']],
  [
    'redirects to a file URL',
    () => `${server.url('redirect-to')}?url=file:///etc/passwd`,
    ['SCHEME_REFUSED → next-source'],
  ],
  [
    'applies a content encoding',
    () => server.url('wrong-content-encoding', 'image'),
    ['CONTENT_ENCODING → next-source'],
  ],
  ['sends a web page', () => server.url('web-page', 'image'), ['WEB_PAGE → next-source']],
  ['sends an empty file', () => server.url('empty', 'image'), ['LENGTH_TOO_SHORT → next-source']],
  ['speaks another protocol', () => server.url('not-http', 'image'), ['HTTP_UNEXPECTED → next-source']],
  [
    'does not speak TLS',
    () => server.url('ok', 'image').replace('http:', 'https:'),
    ['TLS_FAILED → next-source'],
  ],
  ['is a metalink again', () => server.url('ok', 'image.metalink'), ['METALINK_NESTED → next-source']],
];
for (const [name, url, recorded] of mirrorFaults) {
  test(`when the first mirror ${name}, the next one delivers and the record says why`, async () => {
    const sources = [url(), server.url('ok', 'image')];
    const outcome = await fetchOnce(
      requestFor(serveMetalink(server, sources, { sha256, size: image.length })),
    );
    assert.ok(outcome.fetched, outcome.failure?.message);
    assert.deepEqual(reasons(outcome), [...recorded, 'succeeded → done']);
    assert.ok(outcome.fetched.warnings.length > 0);
    assert.deepEqual(outcome.fetched.attempts.at(-1)?.sourceRank, 2);
  });
}
