import type { Socket } from 'node:net';
import { FetchFault } from '../errors.ts';
import { checkPart, faultOfStatus, single } from './http-status.ts';
import { networkFault } from './network-faults.ts';
import type { Hop } from './redirect.ts';
import { type ResponseHead, readResponseHead } from './response-head.ts';
import { confirms, contradicts, parseContentRange } from './validator.ts';

/** A part of the file, and where in memory it goes. */
export interface RangeRequest {
  readonly first: number;
  readonly length: number;
  /** Asked once, when the answer begins: memory of exactly `length` bytes. */
  readonly place: () => Promise<Buffer>;
  /** Told as bytes arrive in the place. */
  readonly onBytes: (count: number) => void;
}

/**
 * One connection that reads parts of a file straight into memory. undici makes a Buffer of every chunk, which costs
 * three times as much as everything else in a fast transfer; here the kernel writes where the bytes are wanted.
 */
export interface RangeConnection extends Disposable {
  /**
   * Asks for a part, also while an earlier one is still arriving (RFC 9112 §9.3.2): they arrive in the order of asking.
   * @throws FetchFault of the source; `ConnectionEnded` when the connection was closed before it answered
   */
  read(request: RangeRequest): Promise<void>;
}

/** A connection was closed between two answers, as a server may at any time: to be asked again on another one. */
export class ConnectionEnded extends Error {
  /** Answers it gave before: none means that another connection will not do better. */
  readonly answers: number;
  /** False when it was given up here. */
  readonly byServer: boolean;
  constructor(message: string, answers: number, byServer = true) {
    super(message);
    this.answers = answers;
    this.byServer = byServer;
  }
}

/** The answer is none to a range that this connection understands: the URL has to be opened anew, by undici. */
export class OpenAnew extends Error {
  readonly fault: FetchFault;
  constructor(fault: FetchFault) {
    super(fault.message, { cause: fault });
    this.fault = fault;
  }
}

export interface RangeConnectionOptions {
  readonly target: Hop;
  readonly validator: string | undefined;
  readonly totalBytes: number;
  readonly stallTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Resolves when that many bytes more may be read; `undefined` at once. */
  readonly hold: ((bytes: number) => Promise<void> | undefined) | undefined;
  readonly connect: (onread: OnRead) => Socket;
}

export interface OnRead {
  readonly buffer: () => Uint8Array;
  readonly callback: (count: number, buffer: Uint8Array) => boolean;
}

interface Waiting {
  readonly request: RangeRequest;
  readonly done: PromiseWithResolvers<void>;
  place: Buffer | undefined;
  filled: number;
}

const longestHeadBytes = 16 * 1024;
const readBytes = 16 * 1024;
/** Less than this, over a whole stall time, is no transfer but a way to keep a host busy for years. */
const slowestBytesPerSecond = 1024;

export function openRangeConnection(options: RangeConnectionOptions): RangeConnection {
  const scratch = Buffer.alloc(longestHeadBytes + 2 * readBytes);
  const queue: Waiting[] = [];
  let scratched = 0;
  let head: ResponseHead | undefined;
  let answers = 0;
  let paused = false;
  let ended: unknown;
  let lastByteAt = performance.now();
  let windowBytes = 0;
  let windowStart = lastByteAt;

  const fail = (error: unknown) => {
    if (ended !== undefined) return;
    ended = error;
    clearInterval(watch);
    socket.destroy();
    for (const { done } of queue.splice(0)) done.reject(error);
  };

  /** Takes what lies in the scratch memory apart. @returns false when reading has to wait */
  const digestScratch = (): boolean => {
    while (scratched > 0) {
      const current = queue[0];
      // whatever it is, it belongs to no answer, and nobody who asks on another connection is harmed by it
      if (current === undefined) throw new ConnectionEnded('bytes that nobody asked for', answers);
      if (head === undefined) {
        head = readResponseHead(scratch.subarray(0, scratched));
        if (head === undefined) {
          if (scratched > longestHeadBytes) throw new FetchFault('HTTP_UNEXPECTED', 'a head without an end');
          return true;
        }
        scratch.copy(scratch, 0, head.length, scratched);
        scratched -= head.length;
        if (head.status >= 100 && head.status < 200 && head.status !== 101) {
          head = undefined;
          continue;
        }
        checkAnswer(head, current.request, options);
      }
      if (current.place === undefined) return awaitPlace(current);
      const count = Math.min(scratched, current.place.length - current.filled);
      scratch.copy(current.place, current.filled, 0, count);
      scratch.copy(scratch, 0, count, scratched);
      scratched -= count;
      arrived(current, count);
    }
    // the next bytes of a body need not go through the scratch memory
    const current = queue[0];
    return head === undefined || current === undefined || current.place !== undefined || awaitPlace(current);
  };

  const awaitPlace = (current: Waiting): false => {
    paused = true;
    current.request.place().then((place) => {
      current.place = place;
      resume();
    }, fail);
    return false;
  };

  const resume = () => {
    if (ended !== undefined) return;
    paused = false;
    lastByteAt = performance.now();
    try {
      if (!digestScratch()) return;
    } catch (error) {
      fail(error);
      return;
    }
    if (!paused) socket.resume();
  };

  const arrived = (current: Waiting, count: number) => {
    current.filled += count;
    current.request.onBytes(count);
    if (current.filled < current.request.length) return;
    queue.shift();
    answers += 1;
    const keepsAlive = head?.keepsAlive ?? false;
    head = undefined;
    current.done.resolve();
    if (!keepsAlive) {
      fail(new ConnectionEnded('the server closes the connection after this answer', answers));
    }
  };

  const onRead = (count: number, buffer: Uint8Array): boolean => {
    if (ended !== undefined) return false;
    lastByteAt = performance.now();
    windowBytes += count;
    try {
      const current = queue[0];
      if (buffer.buffer !== scratch.buffer && current) arrived(current, count);
      else {
        // the memory was given out before what was in front of it had been taken away
        scratch.set(buffer.subarray(0, count), scratched);
        scratched += count;
        if (!digestScratch()) return false;
      }
    } catch (error) {
      fail(error);
      return false;
    }
    const held = options.hold?.(count);
    if (held === undefined) return ended === undefined;
    paused = true;
    held.then(resume, fail);
    return false;
  };

  const socket = options.connect({
    buffer: () => {
      const current = queue[0];
      return head !== undefined && current?.place !== undefined && scratched === 0
        ? current.place.subarray(current.filled)
        : scratch.subarray(scratched, scratched + readBytes);
    },
    callback: onRead,
  });
  let connected = false;
  const connectedAs = 'encrypted' in socket ? 'secureConnect' : 'connect';
  socket.once(connectedAs, () => {
    connected = true;
    lastByteAt = performance.now();
  });
  socket.on('error', (error) => fail(networkFault(error)));
  socket.on('end', () => fail(closedFault(queue[0], answers, scratched > 0 || head !== undefined)));
  socket.on('close', () => fail(closedFault(queue[0], answers, scratched > 0 || head !== undefined)));

  const watch = setInterval(
    () => {
      const now = performance.now();
      if (paused || queue.length === 0) {
        lastByteAt = now;
        windowStart = now;
        windowBytes = 0;
        return;
      }
      const { stallTimeoutMs, connectTimeoutMs } = options;
      if (!connected && now - windowStart > connectTimeoutMs) {
        fail(new FetchFault('CONNECT_TIMEOUT', `${connectTimeoutMs / 1000} s`));
      } else if (now - lastByteAt >= stallTimeoutMs) {
        fail(new FetchFault('TRANSFER_STALLED', `${stallTimeoutMs / 1000} s without a byte`));
      } else if (now - windowStart >= stallTimeoutMs) {
        if (connected && windowBytes < (slowestBytesPerSecond * (now - windowStart)) / 1000) {
          fail(
            new FetchFault('TRANSFER_STALLED', `${windowBytes} bytes in ${Math.round(now - windowStart)} ms`),
          );
        }
        windowStart = now;
        windowBytes = 0;
      }
    },
    Math.min(1000, options.stallTimeoutMs / 4),
  );
  watch.unref();

  return {
    read(request) {
      if (ended !== undefined) return Promise.reject(ended);
      const done = Promise.withResolvers<void>();
      if (queue.length === 0) {
        lastByteAt = performance.now();
        windowStart = lastByteAt;
        windowBytes = 0;
      }
      queue.push({ request, done, place: undefined, filled: 0 });
      socket.write(requestText(options, request));
      return done.promise;
    },
    [Symbol.dispose]: () => fail(new ConnectionEnded('the connection was given up', answers, false)),
  };
}

function closedFault(current: Waiting | undefined, answers: number, answering: boolean): Error {
  if (current === undefined || (answers > 0 && !answering)) {
    return new ConnectionEnded('the server closed the connection', answers);
  }
  return new FetchFault('TRANSFER_CUT', `after ${current.filled} of ${current.request.length} bytes`);
}

function requestText({ target, validator }: RangeConnectionOptions, { first, length }: RangeRequest): string {
  const { url, headers } = target;
  const own: Record<string, string> = {
    'user-agent': 'millrace',
    accept: '*/*',
    ...headers,
    'accept-encoding': 'identity',
    range: `bytes=${first}-${first + length - 1}`,
    ...(validator === undefined ? {} : { 'if-range': validator }),
  };
  const lines = Object.entries(own).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n${lines.join('')}\r\n`;
}

/** @throws FetchFault, OpenAnew unless the answer is the part that was asked for, of the file it was asked of. */
function checkAnswer(
  { status, headers }: ResponseHead,
  request: RangeRequest,
  { validator, totalBytes }: RangeConnectionOptions,
): void {
  const unsupported = (found: string) => new FetchFault('RANGES_UNSUPPORTED', found);
  if (status === 412 || (status === 200 && contradicts(headers, validator))) {
    throw new FetchFault('SOURCE_CHANGED', 'another version is there');
  }
  if (status === 200 || status === 416) throw unsupported(`answered ${status}`);
  // what redirects led to may have had its time: the URL itself is asked again
  if ((status >= 300 && status < 400) || [401, 403, 404, 410].includes(status)) {
    throw new OpenAnew(faultOfStatus(status, headers));
  }
  if (status !== 206) throw faultOfStatus(status, headers);
  if (headers['transfer-encoding'] !== undefined) throw unsupported('parts come without a length');
  const range = parseContentRange(single(headers['content-range']));
  if (range?.first !== request.first || range.last !== request.first + request.length - 1) {
    throw unsupported('it sends another part than the one asked for');
  }
  checkPart(headers, request.length);
  if (range.total !== undefined && range.total !== totalBytes) {
    throw new FetchFault('SOURCE_CHANGED', `it had ${totalBytes} bytes and has ${range.total} now`);
  }
  if (contradicts(headers, validator)) throw new FetchFault('SOURCE_CHANGED', 'another version is there');
  if (validator !== undefined && !confirms(headers, validator)) {
    throw unsupported('parts do not tell which version they are of');
  }
}
