import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { silentLogger } from '@millrace/core';
import { type BadWebServer, startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import { directorySink, type FetchedImage, FetchFailure, fetchImage, type ImageRequest } from './index.ts';
import { patience, piecesElement } from './testing/fault-case.ts';
import { pack } from './testing/pack.ts';
import { rawImageOf } from './testing/random-image.ts';
import { metalinkOf, requestFor, temporaryDirectory } from './testing/request.ts';

const image = rawImageOf(7, 5_000_001);
const packings = ['gzip', 'zstd', 'xz', 'bzip2'] as const;
/** Packed once, by whoever is first. */
const packed = new Map<string, Promise<Buffer>>();
const packedImage = (packing: (typeof packings)[number]) => {
  const known = packed.get(packing) ?? pack(packing, image);
  packed.set(packing, known);
  return known;
};
const together = { concurrency: 2 };

interface Fetched {
  readonly result: FetchedImage | FetchFailure;
  readonly committed: Buffer | undefined;
  readonly left: readonly string[];
}

async function fetchTo(request: ImageRequest, signal = AbortSignal.timeout(20_000)): Promise<Fetched> {
  await using directory = await temporaryDirectory();
  const sink = directorySink({ directory: directory.path, fileName: 'committed' });
  const result = await fetchImage(request, sink, { signal, log: silentLogger }).catch((error: unknown) => {
    if (error instanceof FetchFailure) return error;
    throw error;
  });
  const committed = await readFile(join(directory.path, 'committed')).catch(() => undefined);
  return { result, committed, left: await directory.names() };
}

function assertWhole({ result, committed, left }: Fetched, content: Buffer): void {
  if (result instanceof FetchFailure) throw result;
  assert.ok(committed?.equals(content), 'what was unpacked is the image');
  assert.deepEqual(left, ['committed']);
}

/** A metalink with the digests of pieces: sources best first. */
function metalinkUrl(server: BadWebServer, sources: readonly string[], file: Buffer): string {
  const facts = { size: file.length, sha256: createHash('sha256').update(file).digest('hex') };
  const urls = sources.map((source, index) => `${server.url(source, 'image')}?mirror=${index}`);
  const text = metalinkOf(urls, facts).toString();
  const withPieces = text.replace('</file>', `${piecesElement(file, 65_536)}</file>`);
  server.setFile('image.metalink', Buffer.from(withPieces));
  return server.url('ok', 'image.metalink');
}

describe('a packed image comes from any server', together, () => {
  for (const packing of packings) {
    for (const source of ['ok', 'no-range', 'chunked', 'reset-once-at-50']) {
      test(`${packing} from ${source}`, patience, async () => {
        await using server = await startBadWebServer({ files: { image: await packedImage(packing) } });
        assertWhole(await fetchTo(requestFor(server.url(source, 'image'))), image);
      });
    }
  }
});

test('a server that sends everything at once does not overrun whoever unpacks it', patience, async () => {
  // more than what may wait in memory, and begun before the program is there
  const large = randomBytes(30_000_000);
  await using server = await startBadWebServer({ files: { image: await pack('zstd', large) } });
  assertWhole(await fetchTo(requestFor(server.url('no-range', 'image'))), large);
});

describe('an image may be small once it is unpacked', together, () => {
  for (const sizeBytes of [1, 511, 4096, 65_535, 65_536, 65_537]) {
    test(`${sizeBytes} bytes`, patience, async () => {
      for (const packing of packings) {
        for (const content of [rawImageOf(2, sizeBytes), Buffer.alloc(sizeBytes)]) {
          await using server = await startBadWebServer({ files: { image: await pack(packing, content) } });
          assertWhole(await fetchTo(requestFor(server.url('ok', 'image'))), content);
        }
      }
    });
  }
});

/** What the first bytes show decides how all of them are unpacked: a mirror that lies about them must not decide it. */
describe('a mirror whose first bytes are wrong does not keep an honest one from delivering', together, () => {
  for (const [name, file] of [
    ['a packed image', () => packedImage('gzip')],
    ['a plain image', async () => image],
  ] as const) {
    for (const source of ['other-file', 'other-file-ranges', 'range-shifted']) {
      test(`${name}, ${source}`, patience, async () => {
        const bytes = await file();
        await using server = await startBadWebServer({ files: { image: bytes } });
        assertWhole(await fetchTo(requestFor(metalinkUrl(server, [source, 'ok'], bytes))), image);
      });
    }
  }

  test('a plain image that one mirror sends as a packed one', patience, async () => {
    const lie = Buffer.from(image);
    (await packedImage('gzip')).copy(lie, 0, 0, 100_000);
    await using honest = await startBadWebServer({ files: { image } });
    await using liar = await startBadWebServer({ files: { image: lie } });
    const sha256 = createHash('sha256').update(image).digest('hex');
    const text = metalinkOf([liar.url('ok', 'image'), honest.url('ok', 'image')], {
      size: image.length,
      sha256,
    });
    const pieces = piecesElement(image, 65_536);
    const full = text.toString().replace('</file>', `${pieces}</file>`);
    for (const metalink of [text, Buffer.from(full)]) {
      honest.setFile('image.metalink', metalink);
      assertWhole(await fetchTo(requestFor(honest.url('ok', 'image.metalink'))), image);
    }
  });
});

test(
  'a fetch can be stopped at any moment: it fails, leaves nothing, and lets nothing go on',
  patience,
  async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    try {
      const files = { plain: image, gzip: await packedImage('gzip'), zstd: await packedImage('zstd') };
      await using server = await startBadWebServer({ files });
      for (let round = 0; round < 60; round++) {
        const name = (['plain', 'gzip', 'zstd'] as const)[round % 3]!;
        const source = ['ok', 'no-range'][Math.floor(round / 3) % 2]!;
        const stop = new AbortController();
        const fetching = fetchTo(requestFor(server.url(source, name)), stop.signal);
        await delay(round);
        stop.abort(new Error('stopped by the test'));
        const { result, committed, left } = await fetching;
        if (!(result instanceof FetchFailure)) continue;
        assert.equal(result.code, 'CANCELLED');
        assert.equal(committed, undefined);
        assert.deepEqual(left, []);
      }
      await delay(100);
      assert.deepEqual(unhandled, []);
    } finally {
      process.off('unhandledRejection', note);
    }
  },
);
