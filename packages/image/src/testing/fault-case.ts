import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, silentLogger, sleep } from '@millrace/core';
import {
  type BadWebServer,
  type RequestRecord,
  startBadWebServer,
} from '../../../../test/servers/bad-web-server.ts';
import { otherByte } from '../../../../test/servers/served-files.ts';
import { directorySink, type FetchedImage, FetchFailure, fetchImage, type SourceAttempt } from '../index.ts';
import { metalinkOf, requestFor, temporaryDirectory } from './request.ts';

/** How long any case may take: stalls are of one second. */
export const patience = { timeout: 30_000 };
/** What may be fetched twice for each interruption: the part that was under way on a connection. */
export const partBytes = 1024 * 1024;

/** Large enough that no engine asks for all of it at once, and of an odd size. */
export const published = randomBytes(6 * 1024 * 1024 + 777);
/** What servers whose file changes have later. */
export const republished = published.map(otherByte);
export const grown = Buffer.concat([published, Buffer.alloc(1000)]);

const hexOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
export const publishedDigest: Digest = { algorithm: 'SHA-256', hex: hexOf(published) };
/** Small against the image, and not what an engine would choose by itself. */
export const pieceBytes = 128 * 1024;

export interface FaultCase {
  /** What each source does, best first: path segment and query. A single one is the URL itself, several are a metalink. */
  readonly sources: readonly string[];
  /** What is known of the image besides: `digest` by default. */
  readonly known?: 'digest' | 'digest-and-pieces' | 'size' | 'nothing';
  /** All sources have the same priority. */
  readonly alike?: boolean;
}

export interface FaultOutcome {
  readonly fetched?: FetchedImage;
  readonly failure?: FetchFailure;
  /** The committed bytes. */
  readonly image?: Buffer;
  readonly attempts: readonly SourceAttempt[];
  /** What each source was asked. */
  readonly asked: readonly (readonly RequestRecord[])[];
  readonly seconds: number;
}

/** Fetches from sources that misbehave, and holds the outcome against what must be so in every case. */
export async function fetchFromFaults({ sources, ...facts }: FaultCase): Promise<FaultOutcome> {
  await using server = await startBadWebServer({ files: { image: published } });
  await using directory = await temporaryDirectory();
  const paths = sources.map((source, index) => {
    const [segment, query = ''] = source.split('?');
    return `/${segment}/image?mirror=${index}&${query}`;
  });
  const request = requestTo(server, paths, facts);
  const sink = directorySink({ directory: directory.path, fileName: 'committed' });
  const started = performance.now();
  const signal = AbortSignal.timeout(patience.timeout - 5000);
  const result = await fetchImage(request, sink, { signal, log: silentLogger }).catch(
    (error: unknown) => error,
  );
  const seconds = (performance.now() - started) / 1000;
  const asked = paths.map((_, index) => server.requests(`mirror=${index}&`));
  assert.ok(!signal.aborted, `it went on for ${seconds} s`);
  await assertLeft(server);
  if (result instanceof FetchFailure) {
    assert.deepEqual(await directory.names(), [], 'a failed fetch leaves nothing');
    return { failure: result, attempts: result.attempts, asked, seconds };
  }
  if (result instanceof Error) throw result;
  const fetched = result as FetchedImage;
  assert.deepEqual(await directory.names(), ['committed'], 'nothing is left beside the image');
  const image = await readFile(join(directory.path, 'committed'));
  assert.equal(fetched.digest.hex, hexOf(image), 'the digest reported is that of the image');
  const known = facts.known ?? 'digest';
  if (known.startsWith('digest')) assert.ok(image.equals(published), 'what is committed is the image');
  assert.ok(
    fetched.attempts.every(({ state }) => state !== 'running'),
    'every attempt has ended',
  );
  return { fetched, image, attempts: fetched.attempts, asked, seconds };
}

/** A connection that was forgotten keeps a process alive until the server closes it, which this one does after 5 s. */
async function assertLeft(server: BadWebServer): Promise<void> {
  const deadline = performance.now() + 2000;
  while ((await server.openConnections()) > 0) {
    assert.ok(performance.now() < deadline, 'a connection is left open');
    await sleep(10, new AbortController().signal);
  }
}

/** Loopback answers at once, or not at all. */
const limits = { connectTimeoutMs: 1000 };

function requestTo(
  server: BadWebServer,
  paths: readonly string[],
  { known = 'digest', alike = false }: Omit<FaultCase, 'sources'>,
) {
  const urls = paths.map((path) => server.origin + path);
  const [only] = urls;
  if (urls.length === 1 && only && known !== 'digest-and-pieces') {
    return requestFor(only, {
      expectedDigest: known === 'digest' ? publishedDigest : undefined,
      limits,
    });
  }
  const text = metalinkOf(
    urls.map((url, index) => ({ url, priority: alike ? 1 : index + 1 })),
    {
      ...(known === 'nothing' ? {} : { size: published.length }),
      ...(known.startsWith('digest') ? { sha256: publishedDigest.hex } : {}),
    },
  ).toString();
  const pieces = known === 'digest-and-pieces' ? piecesElement(published, pieceBytes) : '';
  server.setFile('image.metalink', Buffer.from(text.replace('</file>', `${pieces}</file>`)));
  return requestFor(server.url('ok', 'image.metalink'), { limits });
}

/** A metalink of the published image, with its digest: sources of one rank. */
export function metalinkFor(urls: readonly string[]): Buffer {
  return metalinkOf(
    urls.map((url) => ({ url, priority: 1 })),
    { size: published.length, sha256: publishedDigest.hex },
  );
}

/** What a metalink says of the pieces of a file. */
export function piecesElement(file: Buffer, lengthBytes: number): string {
  const hashes: string[] = [];
  for (let at = 0; at < file.length; at += lengthBytes) {
    hashes.push(`<hash>${hexOf(file.subarray(at, at + lengthBytes))}</hash>`);
  }
  return `<pieces length="${lengthBytes}" type="sha-256">${hashes.join('')}</pieces>`;
}

/** Fails with what was tried, unless the image was committed and is the one wanted. */
export function assertFetched(outcome: FaultOutcome, content: Uint8Array = published): void {
  assert.ok(outcome.image, described(outcome));
  assert.ok(outcome.image.equals(content), 'the image is the right one');
}

/** What was tried, for messages of failed tests. */
export function described({ attempts, failure }: FaultOutcome): string {
  const tries = attempts.map(({ url, state, reason, next }) => `${url}: ${reason ?? state} → ${next}`);
  return [failure?.message ?? 'fetched', ...tries].join('\n');
}

/** The reasons of failed tries at a source, 1 being the first. */
export function reasonsAt({ attempts }: FaultOutcome, rank: number): readonly string[] {
  return attempts.flatMap(({ sourceRank, reason }) => (sourceRank === rank && reason ? [reason] : []));
}
