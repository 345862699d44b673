import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@millrace/core';
import { type BadWebServer, startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import { directorySink, FetchFailure, fetchImage } from './index.ts';
import {
  fetchOnce,
  image,
  reasons,
  rightDigest,
  serveMetalink,
  sha256,
  unusedPort,
  wrongDigest,
} from './testing/fetch-case.ts';
import { metalinkOf, requestFor, temporaryDirectory } from './testing/request.ts';

let server: BadWebServer;

test.beforeEach(async () => {
  server = await startBadWebServer({ files: { image } });
});
test.afterEach(() => server.close());

const deadPort = await unusedPort();
const dead = () => `http://127.0.0.1:${deadPort}/image`;

test('a correct source is committed byte for byte, with digest, phases and one attempt', async () => {
  const outcome = await fetchOnce(requestFor(server.url('ok', 'image'), { expectedDigest: rightDigest }));
  const { fetched } = outcome;
  assert.ok(fetched);
  assert.deepEqual(fetched.digest, rightDigest);
  assert.equal(fetched.format, 'raw');
  assert.equal(fetched.compression, 'none');
  assert.equal(fetched.transferredBytes, image.length);
  assert.deepEqual(reasons(outcome), ['succeeded → done']);
  const asked = server.requests().map(({ headers }) => headers['range']);
  assert.deepEqual(asked, ['bytes=0-1048575', 'bytes=1048576-1049352'], 'no byte is asked for twice');
  const phases = outcome.progress.map(({ phase }) => phase).filter((phase, i, all) => phase !== all[i - 1]);
  assert.deepEqual(phases, [
    'planning',
    'transferring',
    'verifying',
    'inspecting',
    'committing',
    'committed',
  ]);
  assert.deepEqual(Object.keys(fetched.phaseMs).sort(), [...new Set(phases)].sort());
  assert.equal(outcome.progress.at(-1)?.bytes, image.length);
});

for (const [name, fault] of [
  ['without a declared length', 'chunked'],
  ['without range support', 'no-range'],
  ['behind a redirect', 'redirect'],
  ['that first answers 500', '500-then-ok'],
  ['that is busy at first and says for how long', '503-retry-after'],
  ['that limits requests at first', '429-retry-after'],
  ['that resets the connection once', 'reset-once-at-50'],
  ['that stalls once', 'stall-once-at-50'],
] as const) {
  test(`a source ${name} is enough on its own`, async () => {
    const outcome = await fetchOnce(requestFor(server.url(fault, 'image'), { expectedDigest: rightDigest }));
    assert.ok(outcome.fetched, outcome.failure?.message);
    assert.ok(
      outcome.fetched.attempts.every(({ next, state }) => state === 'succeeded' || next === 'same-source'),
    );
  });
}

test('Retry-After is obeyed', async () => {
  const started = performance.now();
  const outcome = await fetchOnce(requestFor(`${server.url('503-retry-after', 'image')}?seconds=1`));
  assert.ok(outcome.fetched);
  assert.ok(performance.now() - started >= 990);
});

test('a web page is told apart even without a size or a digest', async () => {
  const outcome = await fetchOnce(requestFor(server.url('web-page', 'image')));
  assert.equal(outcome.failure?.code, 'WEB_PAGE');
  assert.equal(outcome.failure?.failureClass, 'next-host');
});

test('a wrong checksum costs three attempts, each at the next source, and names both digests', async () => {
  const sources = [server.url('ok', 'image'), `${server.url('ok', 'image')}?b`];
  const outcome = await fetchOnce(
    requestFor(serveMetalink(server, sources), { expectedDigest: wrongDigest }),
  );
  assert.equal(outcome.failure?.code, 'DIGEST_MISMATCH');
  assert.equal(outcome.failure?.failureClass, 'next-host');
  assert.deepEqual(
    outcome.failure?.attempts.map(({ sourceRank, checksumAttempt, tryNumber, next }) => [
      sourceRank,
      checksumAttempt,
      tryNumber,
      next,
    ]),
    [
      [1, 1, 1, 'next-checksum-attempt'],
      [2, 2, 1, 'next-checksum-attempt'],
      [1, 3, 1, 'next-host'],
    ],
  );
  assert.match(outcome.failure?.message ?? '', new RegExp(`${sha256}.*f{64}`));
});

test('a single source that is corrupt once is asked again as the second checksum attempt', async () => {
  const outcome = await fetchOnce(
    requestFor(server.url('corrupt-once', 'image'), { expectedDigest: rightDigest }),
  );
  assert.deepEqual(reasons(outcome), ['DIGEST_MISMATCH → next-checksum-attempt', 'succeeded → done']);
  assert.equal(outcome.fetched?.attempts[1]?.checksumAttempt, 2);
});

test('when every source fails, the failure lists each of them with its reason', async () => {
  const outcome = await fetchOnce(requestFor(serveMetalink(server, [dead(), server.url('404', 'image')])));
  assert.equal(outcome.failure?.code, 'ALL_SOURCES_FAILED');
  assert.equal(outcome.failure?.failureClass, 'next-host');
  assert.match(outcome.failure?.message ?? '', /refuses connections.*answered 404/);
  assert.deepEqual(reasons(outcome), ['CONNECT_REFUSED → next-source', 'HTTP_NOT_FOUND → next-host']);
});

test('sources are tried by priority and then by the nearest location', async () => {
  const place = (location: string, priority: number) => ({
    url: `${server.url('404', 'image')}?${location}${priority}`,
    location,
    priority,
  });
  const url = serveMetalink(server, [
    place('far', 1),
    place('zone', 1),
    place('cluster', 2),
    place('cluster', 1),
  ]);
  const outcome = await fetchOnce(requestFor(url, { location: ['cluster', 'zone'] }));
  const asked = server.requests().map(({ path }) => path.split('?')[1]);
  assert.deepEqual(asked, [undefined, 'cluster1', 'zone1', 'far1', 'cluster2']);
  assert.equal(outcome.failure?.attempts.length, 4);
});

test('a metalink is recognised by content, and a broken one stops the fetch', async () => {
  server.setFile('image.img', metalinkOf([server.url('ok', 'image')], { sha256 }));
  assert.ok((await fetchOnce(requestFor(server.url('ok', 'image.img')))).fetched);
  server.setFile(
    'image.img',
    Buffer.from('<metalink><file name="../../x"><url>http://m/</url></file></metalink>'),
  );
  const { failure } = await fetchOnce(requestFor(server.url('ok', 'image.img')));
  assert.equal(failure?.code, 'METALINK_UNUSABLE');
  assert.equal(failure?.failureClass, 'stop');
});

test('a metalink without end is refused', async () => {
  server.setFile('endless', Buffer.concat([Buffer.from('<metalink>'), Buffer.alloc(2 * 1024 * 1024, ' ')]));
  assert.equal((await fetchOnce(requestFor(server.url('ok', 'endless')))).failure?.code, 'METALINK_UNUSABLE');
});

test('a file over the transfer limit is refused before it is fetched, or where it passes the limit', async () => {
  const limits = { maxTransferBytes: 200_000 };
  for (const fault of ['ok', 'chunked']) {
    const { failure } = await fetchOnce(requestFor(server.url(fault, 'image'), { limits }));
    assert.equal(failure?.code, 'TRANSFER_TOO_LARGE');
    assert.equal(failure?.failureClass, 'stop');
  }
});

test('a raw image over the virtual size limit is refused without being fetched whole', async () => {
  const { failure } = await fetchOnce(
    requestFor(server.url('chunked', 'image'), { limits: { maxVirtualSizeBytes: 300_000 } }),
  );
  assert.equal(failure?.code, 'IMAGE_TOO_LARGE');
  assert.equal(failure?.failureClass, 'stop');
});

test('cancelling at any moment removes everything and fails as cancelled', async () => {
  for (const [fault, when] of [
    ['hang', 'planning'],
    ['stall-at-50', 'transferring'],
    ['slow', 'transferring'],
    ['500', 'planning'],
  ] as const) {
    const cancel = new AbortController();
    await using directory = await temporaryDirectory();
    const sink = directorySink({ directory: directory.path, fileName: 'committed' });
    const running = fetchImage(
      requestFor(server.url(fault, 'image'), { limits: { stallTimeoutMs: 60_000 } }),
      sink,
      {
        signal: cancel.signal,
        log: silentLogger,
        onProgress: (progress) => {
          if (progress.phase === when) setTimeout(() => cancel.abort(new Error('enough')), 50);
        },
      },
    );
    await assert.rejects(running, (error) => error instanceof FetchFailure && error.code === 'CANCELLED');
    assert.deepEqual(await directory.names(), []);
  }
});

test('progress is reported about five times a second at most, apart from changes', async () => {
  const outcome = await fetchOnce(requestFor(`${server.url('slow', 'image')}?rate=1000000`));
  assert.ok(outcome.fetched);
  const transferring = outcome.progress.filter(({ phase }) => phase === 'transferring');
  const seconds = (outcome.fetched.phaseMs['transferring'] ?? 0) / 1000;
  assert.ok(transferring.length >= 3, `${transferring.length} reports`);
  assert.ok(transferring.length <= seconds * 5 + 5, `${transferring.length} reports in ${seconds} s`);
  assert.ok(
    transferring.some(({ bytesPerSecond, etaSeconds }) => bytesPerSecond > 0 && etaSeconds !== undefined),
  );
});
