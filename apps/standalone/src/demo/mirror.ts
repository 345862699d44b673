import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { hasErrorCode, sleep } from '@millrace/core';

export interface MirrorOptions {
  /** Its plain files are served, by name. */
  readonly directory: string;
  /** Preferred port on 127.0.0.1; another one is taken when it is not free. */
  readonly port: number;
  /** Slows a transfer down to this, so that there is something to see on a loopback. */
  readonly bytesPerSecond: number;
}

export interface Mirror {
  readonly port: number;
  close(): Promise<void>;
}

const chunkBytes = 64 * 1024;

/** Serves files over HTTP on the loopback, with ranges, as a mirror on the Internet does. */
export async function startMirror(options: MirrorOptions): Promise<Mirror> {
  const stopped = new AbortController();
  const server = createServer((request, response) => {
    answer(request, response, options, stopped.signal).catch(() => {
      // the client went away, or the file did: nobody is left to be told
      response.destroy();
    });
  });
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  try {
    await listen(options.port);
  } catch (error) {
    if (!hasErrorCode(error, 'EADDRINUSE') || options.port === 0) throw error;
    await listen(0);
  }
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        stopped.abort(new Error('the mirror is being closed'));
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: MirrorOptions,
  signal: AbortSignal,
): Promise<void> {
  const name = decodeURIComponent(new URL(request.url ?? '/', 'http://mirror').pathname.slice(1));
  // only names that the directory lists: no path leads out of it
  if (!(await readdir(options.directory)).includes(name)) return void response.writeHead(404).end();
  if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405).end();
  const path = join(options.directory, name);
  const { size, mtimeMs } = await stat(path);
  const range = readRange(request.headers.range, size);
  if (range === 'unsatisfiable') {
    return void response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
  }
  const { first, last } = range ?? { first: 0, last: size - 1 };
  response.writeHead(range === undefined ? 200 : 206, {
    'accept-ranges': 'bytes',
    'content-length': last - first + 1,
    'content-type': name.endsWith('.meta4') ? 'application/metalink4+xml' : 'application/octet-stream',
    etag: `"${size.toString(16)}-${Math.round(mtimeMs).toString(16)}"`,
    'last-modified': new Date(mtimeMs).toUTCString(),
    ...(range === undefined ? {} : { 'content-range': `bytes ${first}-${last}/${size}` }),
  });
  if (request.method === 'HEAD' || size === 0) return void response.end();
  await pipeline(
    createReadStream(path, { start: first, end: last, highWaterMark: chunkBytes }),
    (chunks: AsyncIterable<Buffer>) => atRate(chunks, options.bytesPerSecond, signal),
    response,
    { signal },
  );
}

async function* atRate(
  chunks: AsyncIterable<Buffer>,
  bytesPerSecond: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const begun = performance.now();
  let sent = 0;
  for await (const chunk of chunks) {
    yield chunk;
    sent += chunk.length;
    const early = (sent / bytesPerSecond) * 1000 - (performance.now() - begun);
    if (early > 5) await sleep(early, signal);
  }
}

/**
 * Reads a Range header with one range (RFC 9110, 14.1.2).
 * @returns both ends included; `undefined` when the whole file is to be sent, which a server may always do
 */
export function readRange(
  header: string | undefined,
  size: number,
): { readonly first: number; readonly last: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  if (match[1] === '') {
    const length = Math.min(Number(match[2]), size);
    return length === 0 ? 'unsatisfiable' : { first: size - length, last: size - 1 };
  }
  const first = Number(match[1]);
  const last = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== '' && Number(match[2]) < first) return undefined;
  return first >= size ? 'unsatisfiable' : { first, last };
}
