import { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Part, partFor, type Validators } from './ranges.ts';
import type { ServedFile } from './served-files.ts';
import { makeThrottle, type Throttle } from './throttle.ts';

/** How an answer differs from a correct one. All positions count from the start of the file, also in a range. */
export interface Tweaks {
  /** False: the server ignores Range. */
  readonly ranges?: boolean;
  /** What the server takes the Range header for. */
  readonly rangeRead?: string;
  /** True: the server answers a range whatever If-Range says. */
  readonly ignoresIfRange?: boolean;
  /** Instead of the file's own; `{}`: none. */
  readonly validators?: Validators;
  /** What Content-Length says instead of the truth; `none` sends chunks. */
  readonly declaredLength?: number | 'none';
  /** Set, or with `undefined` left out. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** What else is different when the answer is a range. */
  readonly onRange?: (part: Part) => Tweaks;
  readonly status?: number;
  /** The bytes sent, when they are not those that the head speaks of. */
  readonly bodyStart?: number;
  readonly bodyEnd?: number;
  /** Nothing is sent from here on … */
  readonly cutAt?: number;
  /** … or after so many bytes of each answer … */
  readonly cutAfter?: number;
  /** … and this happens to the connection. */
  readonly afterCut?: 'reset' | 'stall' | 'close';
  /** One bit of the byte at each position is flipped. */
  readonly corruptAt?: readonly number[];
  /** Sent before the body, and after the file's last byte. */
  readonly before?: Uint8Array;
  readonly extra?: Uint8Array;
  /** When the answer is complete: sent on the connection, or the connection goes without a word. */
  readonly afterEnd?: Uint8Array | 'drop';
  readonly bytesPerSecond?: number;
  /** Turns the text of the head into what is written in its place, piece by piece; the connection ends with the answer. */
  readonly rawHead?: (head: string) => AsyncIterable<string> | Iterable<string>;
}

export interface Answer {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly file: ServedFile;
  readonly throttles: readonly Throttle[];
  /** Told of every byte of a body that was handed to the connection. */
  readonly onBytes: (count: number) => void;
  /** Told of the status, and which byte of the file the body begins with. */
  readonly onStatus: (status: number, from?: number) => void;
}

export function answerStatus(
  { response, onStatus }: Pick<Answer, 'response' | 'onStatus'>,
  code: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  onStatus(code);
  response.writeHead(code, { 'content-type': 'text/plain', ...headers });
  response.end(code === 204 || code === 304 ? undefined : `${code}\n`);
}

/** Sends the file, or the range of it that was asked for, with the tweaks applied. */
export async function sendFile(answer: Answer, given: Tweaks = {}): Promise<void> {
  const { request, response, file } = answer;
  const asked = { ...request.headers };
  if (given.rangeRead !== undefined) asked.range = given.rangeRead;
  if (given.ranges === false) delete asked.range;
  if (given.ignoresIfRange) delete asked['if-range'];
  const part = partFor(asked, file, given.validators ?? file);
  if (part === 412) return answerStatus(answer, 412);
  if (part === 416) return answerStatus(answer, 416, { 'content-range': `bytes */${file.sizeBytes}` });
  const tweaks = part.status === 206 ? { ...given, ...given.onRange?.(part) } : given;

  const status = tweaks.status ?? part.status;
  answer.onStatus(status, part.start);
  const headers = headersOf(answer, part, tweaks);
  const out = await writeHead(answer, status, headers, tweaks);
  if (request.method !== 'HEAD' && !(await sendBody(answer, out, part, tweaks))) return;
  const { afterEnd } = tweaks;
  if (afterEnd !== undefined) {
    const { socket } = response;
    // before the next answer, which a pipelined request may be waiting for
    response.prependOnceListener('finish', () =>
      afterEnd === 'drop' ? socket?.end() : socket?.write(afterEnd),
    );
  }
  out.end();
}

function headersOf({ file }: Answer, part: Part, tweaks: Tweaks): OutgoingHttpHeaders {
  const { etag, lastModified } = tweaks.validators ?? file;
  const headers: OutgoingHttpHeaders = {
    'content-type': 'application/octet-stream',
    'accept-ranges': tweaks.ranges === false ? undefined : 'bytes',
    etag,
    'last-modified': lastModified,
    'content-range':
      part.status === 206 ? `bytes ${part.start}-${part.end - 1}/${file.sizeBytes}` : undefined,
    'content-length':
      tweaks.declaredLength === 'none' ? undefined : (tweaks.declaredLength ?? part.end - part.start),
  };
  for (const [name, value] of Object.entries(tweaks.headers ?? {})) {
    // an odd spelling replaces the usual one
    for (const usual of Object.keys(headers))
      if (usual.toLowerCase() === name.toLowerCase()) delete headers[usual];
    headers[name] = Array.isArray(value) ? [...value] : (value as string | undefined);
  }
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
}

async function writeHead(
  { response }: Answer,
  status: number,
  headers: OutgoingHttpHeaders,
  { rawHead }: Tweaks,
): Promise<ServerResponse | Socket> {
  const { socket } = response;
  if (!rawHead || !socket) {
    // a wrong Content-Length is the point of some faults: node must not refuse to send it
    response.strictContentLength = false;
    response.writeHead(status, headers);
    response.flushHeaders();
    return response;
  }
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${one}\r\n`),
  );
  const text = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}Connection: close\r\n\r\n`;
  for await (const piece of rawHead(text)) {
    if (socket.destroyed) break;
    await written(socket, Buffer.from(piece, 'latin1'));
  }
  return socket;
}

/** False when the answer is not to be ended in good order. */
async function sendBody(
  answer: Answer,
  out: ServerResponse | Socket,
  part: Part,
  tweaks: Tweaks,
): Promise<boolean> {
  const { file, throttles } = answer;
  const start = tweaks.bodyStart ?? part.start;
  const end = Math.min(file.sizeBytes, tweaks.bodyEnd ?? part.end);
  const cutAt = Math.min(
    tweaks.cutAt ?? Number.POSITIVE_INFINITY,
    start + (tweaks.cutAfter ?? Number.POSITIVE_INFINITY),
  );
  const own = tweaks.bytesPerSecond === undefined ? [] : [makeThrottle(tweaks.bytesPerSecond)];
  const sending: Sending = { answer, out, throttles: [...throttles, ...own] };
  if (tweaks.before && !(await send(sending, Buffer.from(tweaks.before)))) return false;
  let position = start;
  for await (const chunk of file.read(start, Math.min(end, Math.max(start, cutAt)))) {
    for (const at of tweaks.corruptAt ?? []) {
      if (at >= position && at < position + chunk.length) chunk[at - position]! ^= 1;
    }
    position += chunk.length;
    if (!(await send(sending, chunk))) return false;
  }
  if (cutAt < end) {
    await breakConnection(answer.response, tweaks.afterCut ?? 'close');
    return false;
  }
  if (tweaks.extra && (end === file.sizeBytes || tweaks.before))
    return await send(sending, Buffer.from(tweaks.extra));
  return true;
}

interface Sending {
  readonly answer: Answer;
  readonly out: ServerResponse | Socket;
  readonly throttles: readonly Throttle[];
}

/**
 * Less than a stream of node holds without asking to wait: while it asks for that, node reads no further requests, and
 * takes those that TLS has decrypted already for errors.
 */
const mostAtOnceBytes = 32 * 1024;

/** False when the client has gone. */
async function send({ answer, out, throttles }: Sending, chunk: Buffer): Promise<boolean> {
  const step = Math.min(mostAtOnceBytes, ...throttles.map((throttle) => throttle.stepBytes()));
  for (let at = 0; at < chunk.length; at += step) {
    const bytes = chunk.subarray(at, at + step);
    for (const throttle of throttles) await throttle.take(bytes.length);
    if (out.destroyed) return false;
    answer.onBytes(bytes.length);
    await written(out, bytes);
  }
  return !out.destroyed;
}

/** Waits until the kernel has the bytes: what a stream merely holds does not count as sent. */
async function written(out: ServerResponse | Socket, bytes: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  out.once('close', resolve);
  out.write(bytes, () => resolve());
  await promise;
  out.off('close', resolve);
}

async function breakConnection(response: ServerResponse, how: 'reset' | 'stall' | 'close'): Promise<void> {
  if (how === 'stall') return;
  const { socket } = response;
  if (!socket) return;
  // the bytes so far must arrive first, so that the fault is where its name says
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.write('', () => resolve());
  await Promise.race([promise, delay(1000)]);
  if (how === 'reset') {
    await delay(50);
    socket.resetAndDestroy();
  } else socket.end();
}
