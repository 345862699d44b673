import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { silentLogger } from '@millrace/core';
import { type BadWebServer, startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import { FetchFault, type ImageRequest, probeImage } from './index.ts';
import { image, serveMetalink, sha256, unusedPort, wrongDigest } from './testing/fetch-case.ts';
import { pack } from './testing/pack.ts';
import { requestFor } from './testing/request.ts';

let server: BadWebServer;
test.beforeEach(async () => {
  server = await startBadWebServer({ files: { image } });
});
test.afterEach(() => server.close());

const { signal } = new AbortController();
const probe = (request: ImageRequest, deadlineMs?: number) =>
  probeImage(request, { signal, log: silentLogger, ...(deadlineMs === undefined ? {} : { deadlineMs }) });

test('a correct source is usable, with size, format and what will be verified, for 64 KiB of traffic', async () => {
  const found = await probe(requestFor(server.url('ok', 'image'), { expectedDigest: wrongDigest }));
  assert.deepEqual(found, {
    usable: true,
    metalink: false,
    sources: [{ url: server.url('ok', 'image'), usable: true, sizeBytes: image.length }],
    format: 'raw',
    compression: 'none',
    virtualSizeBytes: image.length,
    transferBytes: image.length,
    expectedDigest: wrongDigest,
    warnings: [],
  });
  assert.equal(server.bytesSent(), 65_536);
});

test('a server without ranges, without a length, or behind a redirect is usable too', async () => {
  for (const fault of ['no-range', 'chunked', 'redirect']) {
    const found = await probe(requestFor(server.url(fault, 'image')));
    assert.equal(found.usable, true, fault);
    assert.equal(found.transferBytes, fault === 'chunked' ? undefined : image.length);
  }
});

test('each way to be unusable is told with its reason and what to do', async () => {
  for (const [url, reason] of [
    [server.url('404', 'image'), 'HTTP_NOT_FOUND'],
    [server.url('403', 'image'), 'HTTP_DENIED'],
    [server.url('500', 'image'), 'HTTP_SERVER_ERROR'],
    [server.url('503', 'image'), 'HTTP_BUSY'],
    [server.url('close', 'image'), 'TRANSFER_CUT'],
    [server.url('not-http', 'image'), 'HTTP_UNEXPECTED'],
    [server.url('redirect-loop', 'image'), 'REDIRECT_LIMIT'],
    [server.url('wrong-content-encoding', 'image'), 'CONTENT_ENCODING'],
    [server.url('web-page', 'image'), 'WEB_PAGE'],
    [`http://127.0.0.1:${await unusedPort()}/image`, 'CONNECT_REFUSED'],
    ['http://mirror.invalid/image', 'HOST_NOT_FOUND'],
    ['ftp://127.0.0.1/image', 'SCHEME_REFUSED'],
  ] as const) {
    const found = await probe(requestFor(url));
    assert.equal(found.usable, false);
    assert.equal(found.refusal, undefined);
    assert.deepEqual(
      found.sources.map(({ usable, reason: given }) => [usable, given]),
      [[false, reason]],
    );
    assert.ok((found.sources[0]?.message ?? '').length > 10);
  }
});

test('one dead mirror is a warning, and every mirror is listed in the order it would be tried', async () => {
  const dead = `http://127.0.0.1:${await unusedPort()}/image?token=secret`;
  const url = serveMetalink(server, [dead, server.url('ok', 'image'), server.url('404', 'image')], {
    sha256,
    size: image.length,
  });
  const found = await probe(requestFor(url));
  assert.equal(found.usable, true);
  assert.equal(found.metalink, true);
  assert.deepEqual(
    found.sources.map(({ usable, priority, reason }) => [usable, priority, reason]),
    [
      [false, 1, 'CONNECT_REFUSED'],
      [true, 2, undefined],
      [false, 3, 'HTTP_NOT_FOUND'],
    ],
  );
  assert.deepEqual(found.expectedDigest, { algorithm: 'SHA-256', hex: sha256 });
  assert.equal(found.warnings.length, 2);
  assert.ok(!JSON.stringify(found).includes('secret'));
});

test('without any usable mirror the probe is unusable and says why for each', async () => {
  const url = serveMetalink(server, [server.url('404', 'image'), server.url('short-declared', 'image')], {
    size: image.length,
  });
  const found = await probe(requestFor(url));
  assert.equal(found.usable, false);
  assert.deepEqual(
    found.sources.map(({ reason }) => reason),
    ['HTTP_NOT_FOUND', 'LENGTH_TOO_SHORT'],
  );
});

test('a metalink longer than the first bytes is read whole', async () => {
  const many = Array.from({ length: 900 }, (_, i) => `${server.url('404', 'image')}?${'x'.repeat(60)}${i}`);
  const url = serveMetalink(server, [server.url('ok', 'image'), ...many], { sha256 });
  const found = await probe(requestFor(url));
  assert.equal(found.usable, true);
  assert.equal(found.sources.length, 64);
  assert.match(found.warnings.join(), /901 sources are listed, the best 64/);
});

test('a metalink that cannot be used is unusable with its reason', async () => {
  server.setFile('hostile', Buffer.from('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><metalink/>'));
  const found = await probe(requestFor(server.url('ok', 'hostile')));
  assert.deepEqual([found.usable, found.metalink], [false, true]);
  assert.equal(found.sources[0]?.reason, 'METALINK_UNUSABLE');
  assert.match(found.sources[0]?.message ?? '', /DOCTYPE/);
});

test('mirrors that hang cost the deadline at most, and the others are judged all the same', async () => {
  const hanging = Array.from(
    { length: 40 },
    (_, i) => `${server.url(i % 2 ? 'hang' : 'stall-at-1', 'image')}?${i}`,
  );
  const url = serveMetalink(server, [
    ...hanging.slice(0, 10),
    server.url('ok', 'image'),
    ...hanging.slice(10),
  ]);
  const started = performance.now();
  const found = await probe(requestFor(url, { limits: { stallTimeoutMs: 60_000 } }), 800);
  const took = performance.now() - started;
  assert.ok(took < 4000, `${took} ms`);
  assert.equal(found.usable, true);
  assert.equal(found.sources.filter(({ reason }) => reason === 'PROBE_TIMEOUT').length, 40);
});

test('a URL that hangs is unusable after the deadline', async () => {
  for (const fault of ['hang', 'stall-at-1']) {
    const found = await probe(
      requestFor(server.url(fault, 'image'), { limits: { stallTimeoutMs: 60_000 } }),
      500,
    );
    assert.equal(found.usable, false);
    assert.equal(found.sources[0]?.reason, 'PROBE_TIMEOUT');
  }
});

test('an archive too short to be one, and an empty file, are told', async () => {
  server.setFile('cut', (await pack('gzip', randomBytes(5000))).subarray(0, 2000));
  assert.equal((await probe(requestFor(server.url('ok', 'cut')))).sources[0]?.reason, 'ARCHIVE_BROKEN');
  server.setFile('none', Buffer.alloc(0));
  assert.equal((await probe(requestFor(server.url('ok', 'none')))).refusal?.code, 'IMAGE_EMPTY');
});

test('sizes over the limits are refused at once', async () => {
  const url = server.url('ok', 'image');
  const transfer = await probe(requestFor(url, { limits: { maxTransferBytes: 1000 } }));
  assert.equal(transfer.refusal?.code, 'TRANSFER_TOO_LARGE');
  const virtual = await probe(requestFor(url, { limits: { maxVirtualSizeBytes: 1000 } }));
  assert.equal(virtual.refusal?.code, 'IMAGE_TOO_LARGE');
  assert.match(virtual.refusal?.message ?? '', /Next: /);
});

test('the egress policy holds for the probe, mirrors included', async () => {
  const refused = await probe(requestFor(server.url('ok', 'image'), { egress: { allowedCidrs: [] } }));
  assert.equal(refused.sources[0]?.reason, 'EGRESS_REFUSED');
  const url = serveMetalink(server, ['http://169.254.169.254/latest/meta-data', server.url('ok', 'image')]);
  const found = await probe(requestFor(url, { egress: { allowedCidrs: ['127.0.0.0/8'] } }));
  assert.equal(found.usable, true);
  assert.equal(found.sources[0]?.reason, 'EGRESS_REFUSED');
});

test('only a malformed request and a cancellation are thrown', async () => {
  await assert.rejects(
    probe(requestFor('not a url')),
    (error) => error instanceof FetchFault && error.code === 'REQUEST_MALFORMED',
  );
  const cancel = new AbortController();
  const reason = new Error('not wanted any more');
  const running = probeImage(requestFor(server.url('hang')), { signal: cancel.signal, log: silentLogger });
  setTimeout(() => cancel.abort(reason), 50);
  await assert.rejects(running, reason);
});
