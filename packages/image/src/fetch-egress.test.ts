import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BadWebServer,
  basicCredentials,
  startBadWebServer,
} from '../../../test/servers/bad-web-server.ts';
import { fetchOnce, image, reasons, serveMetalink } from './testing/fetch-case.ts';
import { requestFor } from './testing/request.ts';

let server: BadWebServer;

test.beforeEach(async () => {
  server = await startBadWebServer({ files: { image } });
});
test.afterEach(() => server.close());

test('credentials in the URL are sent, and appear in no record', async () => {
  const { user, password } = basicCredentials;
  const url = server.url('auth', 'image').replace('//', `//${user}:${encodeURIComponent(password)}@`);
  const outcome = await fetchOnce(requestFor(`${url}?token=topsecret`));
  assert.ok(outcome.fetched, outcome.failure?.message);
  const told = JSON.stringify([outcome.fetched, outcome.progress]);
  assert.ok(!told.includes(password) && !told.includes('sesame') && !told.includes('topsecret'));
});

test('credentials and headers stay with their origin, across redirects and mirrors', async () => {
  await using other = await startBadWebServer({ files: { image } });
  const headers = { authorization: 'Bearer secret', 'x-api-key': 'secret', cookie: 'a=secret' };
  const redirect = `${server.url('redirect-to')}?url=${encodeURIComponent(other.url('ok', 'image'))}`;
  assert.ok((await fetchOnce(requestFor(redirect, { headers }))).fetched);
  assert.ok(
    (await fetchOnce(requestFor(serveMetalink(server, [other.url('ok', 'image')]), { headers }))).fetched,
  );
  // each image in two parts
  assert.equal(other.requests().length, 4);
  assert.ok(!JSON.stringify(other.requests()).includes('secret'));
  assert.ok(server.requests().every((request) => request.headers['x-api-key'] === 'secret'));
});

test('a request header the server wants is sent, along redirects within the origin too', async () => {
  const wanted = `${server.url('header', 'image')}?name=X-Token&value=abc`;
  const redirect = `${server.url('redirect-to')}?url=${encodeURIComponent(wanted)}`;
  for (const url of [wanted, redirect]) {
    assert.ok((await fetchOnce(requestFor(url, { headers: { 'X-Token': 'abc' } }))).fetched);
  }
});

test('malformed requests fail before anything is connected to', async () => {
  const url = server.url('ok', 'image');
  for (const request of [
    requestFor('no url'),
    requestFor(url, { headers: { 'bad name': 'x' } }),
    requestFor(url, { headers: { 'x-injected': 'a\r\nb: c' } }),
    requestFor(url, { headers: { Host: 'elsewhere' } }),
    requestFor(url, { headers: { range: 'bytes=5-' } }),
    requestFor(url, { limits: { checksumAttempts: 0 } }),
    requestFor(url, { egress: { allowedCidrs: ['10.0.0.0/99'] } }),
  ]) {
    const { failure } = await fetchOnce(request);
    assert.equal(failure?.code, 'REQUEST_MALFORMED');
    assert.equal(failure?.failureClass, 'stop');
  }
  assert.equal(server.requests().length, 0);
});

test('a scheme other than http and https is refused', async () => {
  const { failure } = await fetchOnce(requestFor('ftp://127.0.0.1/image'));
  assert.equal(failure?.code, 'SCHEME_REFUSED');
  assert.equal(failure?.failureClass, 'stop');
});

test('under an egress policy loopback is refused in every spelling, as a redirect and as a mirror', async () => {
  const egress = { allowedCidrs: [] };
  const { port } = server;
  for (const host of [
    '127.0.0.1',
    'localhost',
    '0x7f.1',
    '2130706433',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '0.0.0.0',
  ]) {
    const { failure } = await fetchOnce(requestFor(`http://${host}:${port}/ok/image`, { egress }));
    assert.equal(failure?.code, 'EGRESS_REFUSED', host);
    assert.equal(failure?.failureClass, 'stop');
  }
  assert.equal(server.requests().length, 0);
});

test('an allowed network is allowed for itself only: a redirect or a mirror out of it is refused', async () => {
  const egress = { allowedCidrs: ['127.0.0.1/32'] };
  const elsewhere = `http://127.0.0.2:${server.port}/ok/image`;
  const redirect = `${server.url('redirect-to')}?url=${encodeURIComponent(elsewhere)}`;
  const redirected = await fetchOnce(requestFor(redirect, { egress }));
  assert.equal(redirected.failure?.code, 'EGRESS_REFUSED');
  const outcome = await fetchOnce(
    requestFor(serveMetalink(server, [elsewhere, server.url('ok', 'image')]), { egress }),
  );
  assert.deepEqual(reasons(outcome), ['EGRESS_REFUSED → next-source', 'succeeded → done']);
});
