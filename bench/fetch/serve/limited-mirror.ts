import { type FileHandle, open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { basename, join } from 'node:path';
import { sleep } from '@millrace/core';
import { type ByteRange, readRange } from './byte-range.ts';

/** A mirror whose uplink has a rate: all its connections together get that, however many there are. */
export interface LimitedMirror extends AsyncDisposable {
  readonly origin: string;
  /** Bytes of files sent since it was started. */
  readonly sentBytes: number;
}

const chunkBytes = 64 * 1024;
/** How much of an idle moment may be caught up with: enough for timers that come late, too little to matter. */
const burstMs = 20;

/** Serves the files of one directory with ranges, as nginx does, at `bytesPerSecond` in all. */
export async function startLimitedMirror(directory: string, bytesPerSecond: number): Promise<LimitedMirror> {
  const take = makeTokens(bytesPerSecond, () => performance.now());
  let sentBytes = 0;
  const sent = (bytes: number) => {
    sentBytes += bytes;
  };
  const server = createServer((request, response) => {
    answer(request, response, { directory, take, sent }).catch(() => response.destroy());
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', () => resolve());
  await promise;
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('the mirror has no port');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    get sentBytes() {
      return sentBytes;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** @returns the milliseconds to wait before this many bytes may be sent; they count as sent from then on */
export function makeTokens(bytesPerSecond: number, now: () => number): (bytes: number) => number {
  let freeAt = now();
  return (bytes) => {
    const at = now();
    freeAt = Math.max(freeAt, at - burstMs) + (bytes / bytesPerSecond) * 1000;
    return Math.max(0, freeAt - at);
  };
}

interface Mirror {
  readonly directory: string;
  readonly take: (bytes: number) => number;
  readonly sent: (bytes: number) => void;
}

async function answer(request: IncomingMessage, response: ServerResponse, mirror: Mirror): Promise<void> {
  const name = basename(new URL(request.url ?? '/', 'http://mirror').pathname);
  const file = await open(join(mirror.directory, name)).catch(() => undefined);
  if (file === undefined) {
    response.writeHead(404).end();
    return;
  }
  try {
    const { size, mtimeMs } = await file.stat();
    const tag = `"${Math.round(mtimeMs).toString(16)}-${size.toString(16)}"`;
    const range = readRange(request.headers, { size, tag });
    if (range === 'unsatisfiable') {
      response.writeHead(416, { 'Content-Range': `bytes */${size}` }).end();
      return;
    }
    const { start, end } = range ?? { start: 0, end: size - 1 };
    response.writeHead(range ? 206 : 200, {
      'Accept-Ranges': 'bytes',
      ETag: tag,
      'Content-Type': 'application/octet-stream',
      'Content-Length': end - start + 1,
      ...(range ? { 'Content-Range': `bytes ${start}-${end}/${size}` } : {}),
    });
    if (request.method !== 'HEAD') await sendSlowly(file, response, { start, end }, mirror);
    response.end();
  } finally {
    await file.close();
  }
}

async function sendSlowly(
  file: FileHandle,
  response: ServerResponse,
  range: ByteRange,
  mirror: Mirror,
): Promise<void> {
  const closing = new AbortController();
  response.once('close', () => closing.abort(new Error('the client has gone')));
  for (let at = range.start; at <= range.end; ) {
    const { buffer, bytesRead } = await file.read(
      Buffer.allocUnsafe(chunkBytes),
      0,
      Math.min(chunkBytes, range.end - at + 1),
      at,
    );
    if (bytesRead === 0) throw new Error('the file has become shorter');
    const wait = mirror.take(bytesRead);
    if (wait > 1) await sleep(wait, closing.signal);
    closing.signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    response.write(buffer.subarray(0, bytesRead), () => resolve());
    closing.signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    mirror.sent(bytesRead);
    at += bytesRead;
  }
}
