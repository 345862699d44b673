import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@millrace/core';
import {
  type BadWebServer,
  basicCredentials,
  startBadWebServer,
} from '../../../test/servers/bad-web-server.ts';
import { directorySink, type FetchedImage, FetchFailure, fetchImage, type ImageRequest } from './index.ts';
import { metalinkFor, patience, published, publishedDigest } from './testing/fault-case.ts';
import { requestFor, temporaryDirectory } from './testing/request.ts';

/** An image is fetched with many requests, over several connections: what holds for the first one holds for each. */

const files = { image: published };
const pem = (name: string) => readFile(new URL(`testdata/tls/${name}`, import.meta.url), 'utf8');
const tls = { key: await pem('localhost.key'), cert: await pem('localhost.pem') };
const extraCa = [await pem('ca.pem')];
const known = { expectedDigest: publishedDigest };

async function outcomeOf(request: ImageRequest): Promise<FetchedImage | FetchFailure> {
  await using directory = await temporaryDirectory();
  const sink = directorySink({ directory: directory.path, fileName: 'committed' });
  const { signal } = new AbortController();
  try {
    const fetched = await fetchImage(request, sink, { signal, log: silentLogger });
    assert.ok((await readFile(join(directory.path, 'committed'))).equals(published));
    return fetched;
  } catch (error) {
    assert.deepEqual(await directory.names(), []);
    if (error instanceof FetchFailure) return error;
    throw error;
  }
}

const fetched = async (request: ImageRequest): Promise<FetchedImage> => {
  const outcome = await outcomeOf(request);
  if (outcome instanceof FetchFailure) throw outcome;
  return outcome;
};

const isManyRequests = (server: BadWebServer) =>
  assert.ok(server.requests('/image').length > 3, 'the image was fetched in parts');

for (const source of [
  'ok',
  'no-keep-alive',
  'drops-keep-alive',
  'reset-once-at-30',
  'close-each',
  'no-range',
]) {
  test(`https works as http does, with a server of the kind ${source}`, patience, async () => {
    await using server = await startBadWebServer({ files, tls });
    const url = `https://localhost:${server.port}/${source}/image?bytes=600000`;
    await fetched(requestFor(url, { ...known, extraCa }));
  });
}

test('the host name is verified for every connection', patience, async () => {
  await using server = await startBadWebServer({ files, tls });
  await using plain = await startBadWebServer({ files });
  const wrong = encodeURIComponent(server.url('ok', 'image'));
  const right = encodeURIComponent(`https://localhost:${server.port}/ok/image`);
  // the right name first: what is verified then does not count for the other name
  const url = `${plain.url('redirect-each', 'image')}?url=${right}&url=${wrong}`;
  const unknown = await outcomeOf(requestFor(url, known));
  assert.ok(unknown instanceof FetchFailure && unknown.code === 'TLS_FAILED');
  assert.equal(server.requests().length, 0);
});

test(
  'credentials and headers go with every request to their origin, and nowhere else',
  patience,
  async () => {
    const { user, password } = basicCredentials;
    await using server = await startBadWebServer({ files });
    await using other = await startBadWebServer({ files });
    const url = server.url('auth', 'image').replace('//', `//${user}:${encodeURIComponent(password)}@`);
    await fetched(requestFor(url, { ...known, headers: { 'x-api-key': 'secret' } }));
    isManyRequests(server);
    assert.ok(server.requests().every(({ headers }) => headers['x-api-key'] === 'secret'));
    server.forget();

    const there = encodeURIComponent(other.url('ok', 'image'));
    const headers = { 'x-api-key': 'secret', authorization: 'Bearer secret', cookie: 'a=secret' };
    await fetched(requestFor(`${server.url('redirect-to')}?url=${there}`, { ...known, headers }));
    isManyRequests(other);
    assert.ok(!JSON.stringify(other.requests()).includes('secret'));
  },
);

test('no request asks for a transformation, and each names itself', patience, async () => {
  await using server = await startBadWebServer({ files });
  await fetched(requestFor(server.url('ok', 'image'), known));
  isManyRequests(server);
  for (const { headers, method } of server.requests()) {
    assert.equal(method, 'GET');
    assert.equal(headers['accept-encoding'], 'identity');
    assert.match(headers['user-agent'] ?? '', /^millrace/);
    assert.equal(headers['host'], `127.0.0.1:${server.port}`);
  }
});

test(
  'without a digest every part but the first is asked for on the condition that nothing changed',
  patience,
  async () => {
    await using server = await startBadWebServer({ files });
    await fetched(requestFor(server.url('ok', 'image')));
    isManyRequests(server);
    const [first, ...others] = server.requests();
    assert.equal(first?.headers['if-range'], undefined);
    assert.ok(others.every(({ headers }) => headers['if-range']?.startsWith('"')));
  },
);

test('a redirect that leads to a forbidden address later is not followed there', patience, async () => {
  await using server = await startBadWebServer({ files });
  await using inside = await startBadWebServer({ files, host: '127.0.0.2' });
  const good = encodeURIComponent(`${server.url('presigned', 'image')}?uses=2`);
  const bad = encodeURIComponent(`http://127.0.0.2:${inside.port}/ok/image`);
  const url = `${server.url('redirect-each', 'image')}?url=${good}&url=${bad}`;
  const egress = { allowedCidrs: ['127.0.0.1/32'] };
  const outcome = await outcomeOf(requestFor(url, { ...known, egress }));
  assert.ok(outcome instanceof FetchFailure);
  assert.equal(inside.requests().length, 0);
});

test('mirrors get no secrets of the metalink’s origin with any request', patience, async () => {
  await using server = await startBadWebServer({ files });
  await using mirror = await startBadWebServer({ files });
  server.setFile(
    'image.metalink',
    metalinkFor([mirror.url('ok', 'image'), `${mirror.url('ok', 'image')}?2`]),
  );
  const headers = { 'x-api-key': 'secret' };
  await fetched(requestFor(server.url('ok', 'image.metalink'), { headers }));
  isManyRequests(mirror);
  assert.ok(!JSON.stringify(mirror.requests()).includes('secret'));
});
