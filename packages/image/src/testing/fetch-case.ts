import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Digest, silentLogger } from '@millrace/core';
import type { BadWebServer } from '../../../../test/servers/bad-web-server.ts';
import {
  directorySink,
  type FetchedImage,
  FetchFailure,
  fetchImage,
  type ImageProgress,
  type ImageRequest,
} from '../index.ts';
import { metalinkOf, temporaryDirectory } from './request.ts';

/** Not compressible, so that a percentage of the file is a percentage of an archive of it; 1 MiB and a bit. */
export const image = randomBytes(1_048_576 + 777);
export const sha256 = createHash('sha256').update(image).digest('hex');
export const rightDigest: Digest = { algorithm: 'SHA-256', hex: sha256 };
export const wrongDigest: Digest = { algorithm: 'SHA-256', hex: 'f'.repeat(64) };

export interface Outcome {
  readonly fetched?: FetchedImage;
  readonly failure?: FetchFailure;
  readonly progress: readonly ImageProgress[];
}

/** Fetches, and holds every outcome against invariant 1: the image is there whole, or nothing is. */
export async function fetchOnce(request: ImageRequest, content = image): Promise<Outcome> {
  await using directory = await temporaryDirectory();
  const progress: ImageProgress[] = [];
  const sink = directorySink({ directory: directory.path, fileName: 'committed' });
  const onProgress = (report: ImageProgress) => {
    progress.push(report);
  };
  try {
    const { signal } = new AbortController();
    const fetched = await fetchImage(request, sink, { signal, log: silentLogger, onProgress });
    assert.deepEqual(await directory.names(), ['committed']);
    const written = await readFile(join(directory.path, 'committed'));
    assert.ok(written.equals(content), 'the committed file is not the image');
    assert.equal(fetched.sizeBytes, content.length);
    assert.equal((await stat(join(directory.path, 'committed'))).mode & 0o777, 0o644);
    return { fetched, progress };
  } catch (failure) {
    if (!(failure instanceof FetchFailure)) throw failure;
    assert.deepEqual(await directory.names(), [], 'a failed fetch leaves nothing');
    return { failure, progress };
  }
}

/** `REASON → next` of every attempt. */
export function reasons(outcome: Outcome): string[] {
  const attempts = outcome.fetched?.attempts ?? outcome.failure?.attempts ?? [];
  return attempts.map(({ reason, next, state }) => `${reason ?? state} → ${next}`);
}

/** Makes the server serve a metalink of the sources and returns its URL. */
export function serveMetalink(
  server: BadWebServer,
  ...[urls, facts = {}]: Parameters<typeof metalinkOf>
): string {
  server.setFile('image.metalink', metalinkOf(urls, facts));
  return server.url('ok', 'image.metalink');
}

/** A port on loopback that nothing listens on. */
export async function unusedPort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const address = probe.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    probe.close(() => resolve(port));
  });
  return promise;
}
