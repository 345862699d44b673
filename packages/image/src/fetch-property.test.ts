import assert from 'node:assert/strict';
import { createHash, randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { silentLogger } from '@millrace/core';
import fc from 'fast-check';
import { type BadWebServer, startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import { otherByte } from '../../../test/servers/served-files.ts';
import { directorySink, type FetchedImage, FetchFailure, fetchImage, type ImageRequest } from './index.ts';
import { piecesElement } from './testing/fault-case.ts';
import { type RandomFetch, randomFetch } from './testing/random-fetch.ts';
import { qcow2ImageOf, rawImageOf } from './testing/random-image.ts';
import { metalinkOf, requestFor, type TemporaryDirectory, temporaryDirectory } from './testing/request.ts';

/**
 * Random images from random mirrors, stopped and begun again at random moments. A run that fails prints the case and its
 * seed. `MILLRACE_PROPERTY_SECONDS=600 npm test -- fetch-property` looks for longer, `MILLRACE_PROPERTY_SEED=1234` at one
 * case only.
 */
const seconds = Number(process.env['MILLRACE_PROPERTY_SECONDS'] ?? 5);
const wantedSeed = process.env['MILLRACE_PROPERTY_SEED'];
const firstSeed = wantedSeed === undefined ? randomInt(2 ** 31) : Number(wantedSeed);
/** No single case may take longer: faults are waited out within a second each. */
const patienceMs = 45_000;

interface Published {
  /** What is served. */
  readonly file: Buffer;
  /** What may be committed. */
  readonly images: readonly Buffer[];
}

function publish({ seed, sizeBytes, kind, packing, known }: RandomFetch): Published {
  const image = kind === 'raw' ? rawImageOf(seed, sizeBytes) : qcow2ImageOf(seed, sizeBytes);
  const file =
    packing === 'none' ? image : packing === 'gzip' ? gzipSync(image, { level: 1 }) : zstdCompressSync(image);
  // without a digest a mirror's own version of the file is worth what every other is, as long as it is whole
  const images = known === 'nothing' ? [image, Buffer.from(image.map(otherByte))] : [image];
  return { file, images };
}

function requestTo(server: BadWebServer, fetch: RandomFetch, file: Buffer): ImageRequest {
  const { mirrors, alike, known } = fetch;
  const sources = [...mirrors, 'ok'].map((mirror, index, all) => {
    const [segment, query = ''] = mirror.split('?');
    const last = index === all.length - 1;
    return {
      url: `${server.origin}/${segment}/image?mirror=${index}&${query}`,
      priority: alike && !last ? 1 : index + 1,
    };
  });
  const sha256 = createHash('sha256').update(file).digest('hex');
  const facts = known === 'nothing' ? {} : { size: file.length, sha256 };
  const pieces = known === 'pieces' ? piecesElement(file, fetch.pieceBytes) : '';
  const text = metalinkOf(sources, facts).toString().replace('</file>', `${pieces}</file>`);
  server.setFile('image.metalink', Buffer.from(text));
  return requestFor(server.url('ok', 'image.metalink'), {
    // the other version of a qcow2 image is none
    format: known === 'nothing' ? undefined : fetch.kind,
    limits: { stallTimeoutMs: 300, connectTimeoutMs: 2000 },
  });
}

interface Run {
  readonly directory: TemporaryDirectory;
  readonly request: ImageRequest;
  readonly keepPartial: boolean;
  readonly signal: AbortSignal;
}

/** @returns `undefined` when it failed, after it was looked at what it left */
async function run({ directory, request, keepPartial, signal }: Run): Promise<FetchedImage | FetchFailure> {
  const sink = directorySink({ directory: directory.path, fileName: 'committed' });
  try {
    return await fetchImage(request, sink, { signal, log: silentLogger, keepPartial });
  } catch (error) {
    if (!(error instanceof FetchFailure)) throw error;
    const left = await directory.names();
    assert.ok(
      left.every((name) => keepPartial && name.startsWith('.millrace-partial-committed')),
      `a failed fetch left ${left}`,
    );
    assert.ok(
      error.attempts.every(({ state }) => state !== 'running'),
      'every attempt has ended',
    );
    return error;
  }
}

/** Stops a run when so many bytes have been sent. */
function stopAt(server: BadWebServer, bytes: number): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const watch = setInterval(() => {
    if (server.bytesSent('/image?') >= bytes) controller.abort(new Error('stopped by the test'));
  }, 1);
  return { signal: controller.signal, [Symbol.dispose]: () => clearInterval(watch) };
}

async function checkFetch(fetch: RandomFetch): Promise<void> {
  const { file, images } = publish(fetch);
  await using server = await startBadWebServer({
    files: { image: file },
    ...(fetch.bytesPerSecond === undefined ? {} : { bytesPerSecond: fetch.bytesPerSecond }),
  });
  await using directory = await temporaryDirectory();
  const request = requestTo(server, fetch, file);
  const { keepPartial } = fetch;
  let result: FetchedImage | FetchFailure | undefined;
  for (const share of fetch.stops.toSorted((a, b) => a - b)) {
    using stop = stopAt(server, share * file.length);
    result = await run({ directory, request, keepPartial, signal: stop.signal });
    if (!(result instanceof FetchFailure)) break;
  }
  if (result === undefined || result instanceof FetchFailure) {
    const signal = AbortSignal.timeout(patienceMs);
    result = await run({ directory, request, keepPartial, signal });
    assert.ok(!signal.aborted, 'it goes on for ever');
  }
  if (fetch.sizeBytes === 0 && fetch.kind === 'raw') {
    assert.ok(result instanceof FetchFailure && result.code === 'IMAGE_EMPTY', String(result));
    return;
  }
  if (result instanceof FetchFailure) throw result;
  assert.deepEqual(await directory.names(), ['committed'], 'nothing is left beside the image');
  const committed = await readFile(join(directory.path, 'committed'));
  assert.ok(
    images.some((image) => image.equals(committed)),
    `the image is not the one published: ${JSON.stringify(result)}`,
  );
  assert.equal(result.sizeBytes, committed.length);
}

test('whatever the mirrors do and whenever it is stopped, the whole image is committed or nothing is to be seen', async () => {
  const until = performance.now() + seconds * 1000;
  // one case per seed: what fails is repeated by its seed alone
  for (let seed = firstSeed; performance.now() < until; seed++) {
    await fc.assert(fc.asyncProperty(randomFetch, checkFetch), { seed, numRuns: 1, endOnFailure: true });
    if (wantedSeed !== undefined) break;
  }
});
