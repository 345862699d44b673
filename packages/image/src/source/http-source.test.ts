import assert from 'node:assert/strict';
import type { lookup } from 'node:dns';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { basicCredentials, startBadWebServer } from '../../../../test/servers/bad-web-server.ts';
import { FetchFault } from '../errors.ts';
import { type HttpClientOptions, makeHttpClient } from './http-source.ts';
import { parseRetryAfter } from './retry-after.ts';

const { signal } = new AbortController();
const content = Buffer.from('the image');
const pem = (name: string) => readFile(new URL(`../testdata/tls/${name}`, import.meta.url), 'utf8');

async function read(url: string, change: Partial<HttpClientOptions> = {}): Promise<string> {
  await using client = makeHttpClient({
    egress: undefined,
    connectTimeoutMs: 5000,
    stallTimeoutMs: 5000,
    maxRedirects: 5,
    ...change,
  });
  const opened = await client.open(url, { headers: {}, signal });
  return await text(opened.body);
}

function faultOf(code: string) {
  return (error: unknown) => error instanceof FetchFault && error.code === code;
}

/** A resolver that answers with these addresses, each query with the next of the lists. */
function resolverOf(...answers: string[][]): { lookup: typeof lookup; asked: () => number } {
  let asked = 0;
  const fake = (_name: string, _options: unknown, callback: (error: null, list: unknown) => void) => {
    const answer = answers[Math.min(asked, answers.length - 1)] ?? [];
    asked += 1;
    callback(
      null,
      answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  // the part of the signature that the connector uses
  return { lookup: fake as unknown as typeof lookup, asked: () => asked };
}

test('https is accepted from a trusted CA for the right host name only', async () => {
  const tls = { key: await pem('localhost.key'), cert: await pem('localhost.pem') };
  const extraCa = [await pem('ca.pem')];
  await using server = await startBadWebServer({ files: { x: content }, tls });
  const named = `https://localhost:${server.port}/ok/x`;
  assert.equal(await read(named, { extraCa }), 'the image');
  await assert.rejects(read(named), faultOf('TLS_FAILED'), 'an unknown CA');
  await assert.rejects(read(server.url('ok', 'x'), { extraCa }), faultOf('TLS_FAILED'), 'another host name');
});

test('a redirect from https to http is followed with a warning', async () => {
  const tls = { key: await pem('localhost.key'), cert: await pem('localhost.pem') };
  await using plain = await startBadWebServer({ files: { x: content } });
  await using server = await startBadWebServer({ tls });
  await using client = makeHttpClient({
    egress: undefined,
    connectTimeoutMs: 5000,
    stallTimeoutMs: 5000,
    maxRedirects: 5,
    extraCa: [await pem('ca.pem')],
  });
  const url = `https://localhost:${server.port}/redirect-to/?url=${encodeURIComponent(plain.url('ok', 'x'))}`;
  const opened = await client.open(url, { headers: {}, signal });
  opened.close();
  assert.match(opened.warnings.join(), /from https to http/);
});

test('a name is connected to at an allowed address only, whatever else it resolves to', async () => {
  await using server = await startBadWebServer({ files: { x: content } });
  const egress = { allowedCidrs: ['127.0.0.1/32'] };
  const url = `http://images.example:${server.port}/ok/x`;
  const mixed = resolverOf(['169.254.169.254', '127.0.0.1']);
  assert.equal(await read(url, { egress, lookup: mixed.lookup }), 'the image');
  const refused = resolverOf(['169.254.169.254', '::1']);
  await assert.rejects(read(url, { egress, lookup: refused.lookup }), (error) => {
    assert.ok(faultOf('EGRESS_REFUSED')(error));
    assert.match(String(error), /images\.example.*169\.254\.169\.254/);
    return true;
  });
});

test('the address that was checked is the one connected to: a name that changes its answer gains nothing', async () => {
  await using server = await startBadWebServer({ files: { x: content } });
  const egress = { allowedCidrs: ['127.0.0.1/32'] };
  const rebinding = resolverOf(['127.0.0.1'], ['127.0.0.2']);
  const url = `http://rebind.example:${server.port}/ok/x`;
  assert.equal(await read(url, { egress, lookup: rebinding.lookup }), 'the image');
  assert.equal(rebinding.asked(), 1, 'resolved once, for check and connection alike');
  await assert.rejects(read(url, { egress, lookup: rebinding.lookup }), faultOf('EGRESS_REFUSED'));
});

test('every hop of a redirect is checked', async () => {
  await using server = await startBadWebServer({ files: { x: content } });
  const egress = { allowedCidrs: ['127.0.0.1/32'] };
  const { lookup } = resolverOf(['10.0.0.1']);
  for (const target of [
    'http://internal.example/',
    'http://10.0.0.1/',
    'http://[::1]/',
    'http://169.254.169.254/latest',
  ]) {
    const url = `${server.url('redirect-to')}?url=${encodeURIComponent(target)}`;
    await assert.rejects(read(url, { egress, lookup }), faultOf('EGRESS_REFUSED'), target);
  }
});

test('a server that accepts and never answers is given up after connect and stall time', async () => {
  await using server = await startBadWebServer();
  await assert.rejects(
    read(server.url('hang'), { connectTimeoutMs: 100, stallTimeoutMs: 200 }),
    faultOf('TRANSFER_STALLED'),
  );
});

test('user information in the URL authenticates', async () => {
  await using server = await startBadWebServer({ files: { x: content } });
  const { user, password } = basicCredentials;
  await assert.rejects(read(server.url('auth', 'x')), faultOf('HTTP_DENIED'));
  const url = server.url('auth', 'x').replace('//', `//${user}:${encodeURIComponent(password)}@`);
  assert.equal(await read(url), 'the image');
});

test('the first bytes are asked for as a range, and a server that sends everything is tolerated', async () => {
  await using server = await startBadWebServer({ files: { x: content } });
  await using client = makeHttpClient({
    egress: undefined,
    connectTimeoutMs: 5000,
    stallTimeoutMs: 5000,
    maxRedirects: 5,
  });
  const ranged = await client.open(server.url('ok', 'x'), {
    headers: {},
    signal,
    range: { first: 0, last: 2 },
  });
  assert.equal(await text(ranged.body), 'the');
  assert.equal(ranged.totalBytes, content.length);
  const whole = await client.open(server.url('no-range', 'x'), {
    headers: {},
    signal,
    range: { first: 0, last: 2 },
  });
  assert.equal(await text(whole.body), 'the image');
  assert.equal(whole.totalBytes, content.length);
  assert.equal(server.requests()[0]?.headers['accept-encoding'], 'identity');
});

test('Retry-After is read as seconds or as a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  assert.equal(parseRetryAfter('120', now), 120_000);
  assert.equal(parseRetryAfter('Thu, 01 Jan 2026 00:00:30 GMT', now), 30_000);
  assert.equal(parseRetryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now), 0);
  assert.equal(parseRetryAfter('soon', now), undefined);
  assert.equal(parseRetryAfter(undefined, now), undefined);
});

test('a server that sends a few bytes now and then, so as never to stall, is given up as one that does', async () => {
  const trickling = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': 1_000_000 });
    const timer = setInterval(() => response.write('x'), 50);
    response.on('close', () => clearInterval(timer));
  });
  trickling.listen(0, '127.0.0.1');
  await once(trickling, 'listening');
  try {
    const { port } = trickling.address() as AddressInfo;
    await assert.rejects(
      read(`http://127.0.0.1:${port}/`, { stallTimeoutMs: 400 }),
      faultOf('TRANSFER_STALLED'),
    );
  } finally {
    trickling.closeAllConnections();
    trickling.close();
  }
});

test('under a policy no port of another protocol is connected to, so that nobody is spoken to in HTTP against his will', async () => {
  const { lookup } = resolverOf(['1.1.1.1']);
  for (const url of ['http://1.1.1.1:25/', 'http://mail.example:25/', 'https://mail.example:6667/x']) {
    await assert.rejects(read(url, { egress: { allowedCidrs: [] }, lookup }), (error) => {
      assert.ok(faultOf('EGRESS_REFUSED')(error), String(error));
      assert.match(String(error), /port/);
      return true;
    });
  }
});

test('headers that were given replace the engine\u2019s own ones, whatever their spelling', async () => {
  await using server = await startBadWebServer({ files: { x: content } });
  await using client = makeHttpClient({
    egress: undefined,
    connectTimeoutMs: 5000,
    stallTimeoutMs: 5000,
    maxRedirects: 5,
  });
  const opened = await client.open(server.url('ok', 'x'), { headers: { 'User-Agent': 'mine' }, signal });
  opened.close();
  assert.equal(server.requests()[0]?.headers['user-agent'], 'mine');
});
