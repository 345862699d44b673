import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { hasErrorCode, runProgram } from '@millrace/core';
import type { TinyTemplate } from '../tiny-template/build-tiny-template.ts';
import { writeMetalink } from './metalink.ts';
import { type Mirror, startMirror } from './mirror.ts';

export interface PublishedTemplate {
  readonly mirror: Mirror;
  readonly metalinkUrl: string;
  readonly deadUrl: string;
  readonly goodUrl: string;
  readonly compressedBytes: number;
}

const metalinkName = 'tiny.meta4';
/** About two seconds for the whole image. */
const bytesPerSecond = 6_000_000;

/**
 * Puts the template on a mirror on the loopback, as it is and compressed, with a metalink that names two mirrors of which
 * the better one is dead.
 * @param directory kept between starts; what is in it already is used
 */
export async function publishTemplate(
  template: TinyTemplate,
  directory: string,
  preferredPort: number,
  signal: AbortSignal,
): Promise<PublishedTemplate> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const plain = join(directory, basename(template.path));
  const compressed = `${plain}.bz2`;
  if (!(await isThere(compressed))) await compress(template.path, plain, compressed, signal);
  const mirror = await startMirror({ directory, port: preferredPort, bytesPerSecond });
  const good = `http://127.0.0.1:${mirror.port}`;
  const name = basename(compressed);
  const deadUrl = `http://127.0.0.1:${await closedPort()}/${name}`;
  const goodUrl = `${good}/${name}`;
  const { size } = await stat(compressed);
  const text = writeMetalink({
    name,
    sizeBytes: size,
    sha256: await sha256Of(compressed, signal),
    urls: [deadUrl, goodUrl],
  });
  await writeFile(join(directory, metalinkName), text);
  return { mirror, metalinkUrl: `${good}/${metalinkName}`, deadUrl, goodUrl, compressedBytes: size };
}

/** A port of the loopback on which nobody listens: one that the system gave, and that was given back. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Serves what an earlier start has published, for those who deploy more. */
export async function serveAgain(directory: string, preferredPort: number): Promise<Mirror> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return startMirror({ directory, port: preferredPort, bytesPerSecond });
}

async function compress(
  source: string,
  plain: string,
  compressed: string,
  signal: AbortSignal,
): Promise<void> {
  await copyFile(source, plain);
  const partial = `${plain}.partial`;
  await copyFile(source, partial);
  await rm(`${partial}.bz2`, { force: true });
  await runProgram('lbzip2', ['--force', partial], { signal });
  await rename(`${partial}.bz2`, compressed);
}

async function sha256Of(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest('hex');
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return false;
    throw error;
  }
}
