import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type BadWebServer, startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import { fetchOnce, image } from './testing/fetch-case.ts';
import { pack } from './testing/pack.ts';
import { requestFor } from './testing/request.ts';

let server: BadWebServer;

test.beforeEach(async () => {
  server = await startBadWebServer({ files: { image } });
});
test.afterEach(() => server.close());

for (const compression of ['gzip', 'zstd', 'xz', 'bzip2'] as const) {
  test(`${compression} is unpacked on the way, with the digest of the packed bytes`, async () => {
    const packed = await pack(compression, image);
    server.setFile('packed', packed);
    const hex = createHash('sha512').update(packed).digest('hex');
    const outcome = await fetchOnce(
      requestFor(server.url('ok', 'packed'), { expectedDigest: { algorithm: 'SHA-512', hex } }),
    );
    assert.equal(outcome.fetched?.compression, compression, outcome.failure?.message);
    assert.equal(outcome.fetched?.transferredBytes, packed.length);
    assert.equal(outcome.fetched?.digest.hex, hex);
    assert.ok(outcome.progress.some(({ phase }) => phase === 'unpacking'));
  });

  test(`${compression} that is truncated, has trailing bytes, is corrupt or packed twice never becomes visible`, async () => {
    const packed = await pack(compression, image);
    const corrupt = Buffer.from(packed);
    corrupt[Math.floor(packed.length / 2)]! ^= 1;
    for (const [bytes, code] of [
      [packed.subarray(0, -7), 'ARCHIVE_BROKEN'],
      [Buffer.concat([packed, Buffer.from('trailing bytes')]), 'ARCHIVE_BROKEN'],
      [await pack(compression, packed), 'IMAGE_NESTED_COMPRESSION'],
      ...(compression === 'zstd' ? [] : [[corrupt, 'ARCHIVE_BROKEN'] as const]),
    ] as const) {
      server.setFile('packed', bytes);
      const { failure } = await fetchOnce(requestFor(server.url('ok', 'packed')));
      assert.equal(failure?.code, code);
    }
  });

  test(`${compression} whose transfer breaks off is blamed on the transfer and not on the archive`, async () => {
    server.setFile('packed', await pack(compression, image));
    const { failure } = await fetchOnce(requestFor(server.url('reset-at-50', 'packed')));
    assert.equal(failure?.code, 'CONNECTION_RESET');
    const stalled = await fetchOnce(
      requestFor(server.url('stall-at-50', 'packed'), { limits: { stallTimeoutMs: 300 } }),
    );
    assert.equal(stalled.failure?.code, 'TRANSFER_STALLED');
  });

  test(`${compression} that unpacks to more than the limit is refused`, async () => {
    server.setFile('packed', await pack(compression, Buffer.alloc(8 * 1024 * 1024)));
    const { failure } = await fetchOnce(
      requestFor(server.url('ok', 'packed'), { limits: { maxTransferBytes: 2 * 1024 * 1024 } }),
    );
    assert.equal(failure?.code, 'UNPACKED_TOO_LARGE');
    assert.equal(failure?.failureClass, 'stop');
  });
}

test('an archive that is broken as published stops the fetch once its digest has been verified', async () => {
  const packed = gzipSync(image).subarray(0, -7);
  server.setFile('packed', packed);
  const expectedDigest = {
    algorithm: 'SHA-256',
    hex: createHash('sha256').update(packed).digest('hex'),
  } as const;
  const { failure } = await fetchOnce(requestFor(server.url('ok', 'packed'), { expectedDigest }));
  assert.equal(failure?.code, 'ARCHIVE_BROKEN');
  assert.equal(failure?.failureClass, 'stop');
  assert.equal(failure?.attempts.length, 1);
});
