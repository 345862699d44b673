import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServedFile } from './served-files.ts';

/** How an answer differs from a correct one. All positions count from the start of the file, also in a range. */
export interface Tweaks {
  /** False: the server ignores Range. */
  readonly ranges?: boolean;
  /** What Content-Length says instead of the truth; `none` sends chunks. */
  readonly declaredLength?: number | 'none';
  /** Nothing is sent from here on … */
  readonly cutAt?: number;
  /** … and this happens to the connection. */
  readonly afterCut?: 'reset' | 'stall' | 'close';
  /** One bit of the byte at each position is flipped. */
  readonly corruptAt?: readonly number[];
  /** Sent after the file's last byte. */
  readonly extra?: Uint8Array;
  readonly bytesPerSecond?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly file: ServedFile;
  /** Told of every byte of a body that was handed to the connection. */
  readonly onBytes: (count: number) => void;
  readonly onStatus: (status: number) => void;
}

/** Sends the file, or the range of it that was asked for, with the tweaks applied. */
export async function sendFile(answer: Answer, tweaks: Tweaks = {}): Promise<void> {
  const { request, response, file } = answer;
  const range = tweaks.ranges === false ? undefined : parseRange(request.headers.range, file.sizeBytes);
  const [start, end] = range ?? [0, file.sizeBytes];
  const headers: Record<string, string> = { 'content-type': 'application/octet-stream', ...tweaks.headers };
  if (tweaks.ranges !== false) headers['accept-ranges'] = 'bytes';
  if (range) headers['content-range'] = `bytes ${start}-${end - 1}/${file.sizeBytes}`;
  if (tweaks.declaredLength !== 'none')
    headers['content-length'] = String(tweaks.declaredLength ?? end - start);
  // a wrong Content-Length is the point of some faults: node must not refuse to send it
  response.strictContentLength = false;
  answer.onStatus(range ? 206 : 200);
  response.writeHead(range ? 206 : 200, headers);
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const cutAt = tweaks.cutAt ?? Number.POSITIVE_INFINITY;
  let position = start;
  for await (const chunk of file.read(start, Math.min(end, Math.max(start, cutAt)))) {
    for (const at of tweaks.corruptAt ?? []) {
      if (at >= position && at < position + chunk.length) chunk[at - position]! ^= 1;
    }
    position += chunk.length;
    if (!(await send(answer, chunk, tweaks.bytesPerSecond))) return;
  }
  if (cutAt < end) {
    await breakConnection(answer, tweaks.afterCut ?? 'close');
    return;
  }
  if (tweaks.extra && end === file.sizeBytes)
    await send(answer, Buffer.from(tweaks.extra), tweaks.bytesPerSecond);
  response.end();
}

/** False when the client has gone. */
async function send(answer: Answer, chunk: Buffer, bytesPerSecond: number | undefined): Promise<boolean> {
  const { response } = answer;
  const step = bytesPerSecond ? Math.max(1, Math.floor(bytesPerSecond / 20)) : chunk.length;
  for (let at = 0; at < chunk.length; at += step) {
    const part = chunk.subarray(at, at + step);
    if (response.destroyed) return false;
    answer.onBytes(part.length);
    if (!response.write(part)) await drained(response);
    if (bytesPerSecond) await delay((part.length / bytesPerSecond) * 1000);
  }
  return !response.destroyed;
}

async function drained(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once('drain', resolve);
  response.once('close', resolve);
  await promise;
  response.off('drain', resolve);
  response.off('close', resolve);
}

async function breakConnection({ response }: Answer, how: 'reset' | 'stall' | 'close'): Promise<void> {
  if (how === 'stall') return;
  const { socket } = response;
  if (!socket) return;
  // the bytes so far must arrive first, so that the fault is where its name says
  const { promise, resolve } = Promise.withResolvers<void>();
  response.flushHeaders();
  socket.write('', () => resolve());
  await Promise.race([promise, delay(1000)]);
  if (how === 'reset') {
    await delay(50);
    socket.resetAndDestroy();
  } else socket.end();
}

function parseRange(header: string | undefined, size: number): [number, number] | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '');
  if (!match) return undefined;
  const start = Number(match[1]);
  const end = match[2] ? Math.min(size, Number(match[2]) + 1) : size;
  return start < end ? [start, end] : undefined;
}
