import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BadWebServer, startBadWebServer } from './bad-web-server.ts';
import { rawClient } from './raw-client.ts';
import { otherByte } from './served-files.ts';

const content = Buffer.from('0123456789'.repeat(1000));
let server: BadWebServer;
test.beforeEach(async () => {
  server = await startBadWebServer({ files: { x: content } });
});
test.afterEach(() => server.close());

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${server.origin}${path}`, { headers, redirect: 'manual', signal: AbortSignal.timeout(5000) });
const otherBytes = (text: string) => [...Buffer.from(text)].map(otherByte);
const range = { range: 'bytes=10-19' };

/** What a GET with a range sees: the status, Content-Range and the body. */
const answersToRange: readonly (readonly [
  fault: string,
  status: number,
  contentRange: string | null,
  body: string,
])[] = [
  ['range-unannounced', 206, 'bytes 10-19/10000', '0123456789'],
  ['range-denied-yet-given', 206, 'bytes 10-19/10000', '0123456789'],
  ['range-capped', 206, 'bytes 10-13/10000', '0123'],
  ['range-total-unknown', 206, 'bytes 10-19/*', '0123456789'],
  ['range-chunked', 206, 'bytes 10-19/10000', '0123456789'],
  ['range-until-close', 206, 'bytes 10-19/10000', '0123456789'],
  ['range-start-wrong', 206, 'bytes 11-20/10000', '0123456789'],
  ['range-total-wrong', 206, 'bytes 10-19/10001', '0123456789'],
  ['range-unit-wrong', 206, 'items 10-19/10000', '0123456789'],
  ['range-reversed', 206, 'bytes 19-10/10000', '0123456789'],
  ['range-nonsense', 206, 'bytes of the file', '0123456789'],
  ['no-content-range', 206, null, '0123456789'],
  ['range-shifted', 206, 'bytes 10-19/10000', '1234567890'],
  ['range-short', 206, 'bytes 10-19/10000', '012345678'],
  ['range-long', 206, 'bytes 10-19/10000', '01234567897 bytes'],
  ['range-unbounded', 206, 'bytes 10-9999/10000', content.toString('latin1', 10)],
  ['no-range', 200, null, content.toString('latin1')],
  ['other-file-ranges', 206, 'bytes 10-19/10000', String.fromCharCode(...otherBytes('0123456789'))],
  ['416', 416, 'bytes */10000', '416\n'],
  ['web-page-ranges', 200, null, '200\n'],
];
for (const [fault, status, contentRange, body] of answersToRange) {
  test(`${fault} answers a range as its name says`, async () => {
    const answer = await get(`/${fault}/x?bytes=4`, range);
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get('content-range'), contentRange);
    assert.equal(Buffer.from(await answer.arrayBuffer()).toString('latin1'), body);
  });
}

/** The statuses of requests for the same range, one after the other, with an If-Range of the first answer's ETag. */
const answersInTurn: readonly (readonly [fault: string, statuses: readonly number[], changed: boolean])[] = [
  ['ok', [206, 206, 206], false],
  ['no-range-after-1', [206, 200, 200], false],
  ['500-then-ok', [500, 206, 206], false],
  ['403-after-2', [206, 206, 403], false],
  ['busy-every-other', [206, 503, 206], false],
  ['presigned', [206, 403, 403], false],
  ['etag-each', [206, 200, 200], false],
  ['ok?validator=weak', [206, 200, 200], false],
  ['ok?validator=none', [206, 206, 206], false],
  ['ok?ranges=no', [200, 200, 200], false],
  ['changes-after-1', [206, 200, 200], true],
  ['changes-unhonoured-after-1', [206, 206, 206], true],
  ['changes-silently-after-1', [206, 206, 206], true],
  ['corrupt-ranges?at=10', [206, 206, 206], false],
  ['416-after-1', [206, 416, 416], false],
];
for (const [fault, statuses, changed] of answersInTurn) {
  test(`${fault} answers one request after the other as its name says`, async () => {
    const [segment, query = ''] = fault.split('?');
    const seen: number[] = [];
    let etag: string | undefined;
    let last = '';
    for (const _ of statuses) {
      const answer = await get(`/${segment}/x?${query}`, { ...range, ...(etag ? { 'if-range': etag } : {}) });
      etag ??= answer.headers.get('etag') ?? undefined;
      seen.push(answer.status);
      if (answer.status < 300) last = Buffer.from(await answer.arrayBuffer()).toString('latin1');
    }
    assert.deepEqual(seen, statuses);
    assert.equal(last.startsWith(String.fromCharCode(otherByte(0x30))), changed);
  });
}

test('a presigned URL is good for GET only, and a redirect to one gives a new one each time', async () => {
  assert.equal((await fetch(server.url('presigned', 'x'), { method: 'HEAD' })).status, 403);
  const first = (await get('/redirect-expiring/x')).headers.get('location');
  const second = (await get('/redirect-expiring/x')).headers.get('location');
  assert.notEqual(first, second);
  assert.equal((await get(String(first), range)).status, 206);
  assert.equal((await get(String(first), range)).status, 403);
  assert.equal((await get(String(second), range)).status, 206);
});

test('redirect-each goes round its targets', async () => {
  const path = '/redirect-each/x?url=http://a.invalid/&url=http://b.invalid/';
  const targets = [];
  for (let time = 0; time < 3; time++) targets.push((await get(path)).headers.get('location'));
  assert.deepEqual(targets, ['http://a.invalid/', 'http://b.invalid/', 'http://a.invalid/']);
});

/** What is seen on the wire by a client that asks for bytes 0 to 9, on a connection of its own. */
const onTheWire: readonly (readonly [fault: string, pattern: RegExp])[] = [
  ['http-1.0', /^HTTP\/1\.0 206 [\s\S]*\r\n\r\n0123456789$/],
  ['odd-headers', /CONTENT-RANGE:Bytes 0-9\/10000\r\ncOnTeNt-LeNgTh: {2}\t 10\r\n/],
  ['range-until-close', /^(?![\s\S]*content-length)[\s\S]*\r\n\r\n0123456789$/i],
  ['length-twice', /content-length: 10\r\n[\s\S]*Content-Length: 5\r\n/],
  ['length-negative', /content-length: -5\r\n/],
  ['length-and-chunks', /content-length: 10\r\n[\s\S]*Transfer-Encoding: chunked\r\n/],
  ['chunk-size-wrong', /Transfer-Encoding: chunked\r\n\r\nmany\r\n0123456789$/],
  ['header-flood', /(x-flood: f+\r\n){100}\r\n0123456789$/],
  ['not-http', /^SSH-2\.0/],
  ['no-keep-alive', /\r\nconnection: close\r\n[\s\S]*0123456789$/i],
  ['drops-keep-alive', /\r\nconnection: keep-alive\r\n[\s\S]*0123456789$/i],
  ['close-each', /\r\n\r\n0123$/],
  ['reset-each', /\r\n\r\n0123reset$/],
];
for (const [fault, pattern] of onTheWire) {
  test(`${fault} is on the wire what its name says, and ends the connection`, async () => {
    await using client = await rawClient(server.port);
    client.ask({ path: `/${fault}/x?bytes=4`, headers: { range: 'bytes=0-9' } });
    assert.match(await client.end(), pattern);
  });
}

/** The same where the connection stays open. */
const onAnOpenConnection: readonly (readonly [fault: string, end: string, pattern: RegExp])[] = [
  ['early-hints', '456789', /^HTTP\/1\.1 103 [\s\S]*HTTP\/1\.1 206 /],
  ['processing', '456789', /^HTTP\/1\.1 102 [\s\S]*HTTP\/1\.1 206 /],
  ['continue-unasked', '456789', /^HTTP\/1\.1 100 [\s\S]*HTTP\/1\.1 206 /],
  ['length-too-small', '456789', /content-length: 0\r\n/],
  ['length-too-large', '456789', /content-length: 20\r\n/],
  ['unsolicited-bytes', 'more: ', /0123456789and what is more: $/],
  ['unsolicited-answer', 'xxxxxxxxxx', /0123456789HTTP\/1\.1 206 [\s\S]*bytes 10-19\/10000\r\n/],
  [
    'multipart',
    '--\r\n',
    /multipart\/byteranges[\s\S]*\r\nContent-Range: bytes 0-9\/10000\r\n[\s\S]*\r\n0123456789\r\n/,
  ],
  ['gzip-ranges', '456789', /content-encoding: gzip\r\n/],
  ['stall-each', '0123', /\r\n\r\n0123$/],
];
for (const [fault, end, pattern] of onAnOpenConnection) {
  test(`${fault} is on the wire what its name says`, async () => {
    await using client = await rawClient(server.port);
    client.ask({ path: `/${fault}/x?bytes=4`, headers: { range: 'bytes=0-9' } });
    assert.match(await client.until(end), pattern);
  });
}
