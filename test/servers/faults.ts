import { randomBytes } from 'node:crypto';
import { type Answer, sendFile, type Tweaks } from './send-file.ts';

export interface FaultCall extends Answer {
  readonly url: URL;
  readonly name: string;
  /** Numbers captured from the path: 50 in `/reset-at-50/…`. */
  readonly percent: number;
  /** 1 for the first request of this path and query, counted per server. */
  readonly visit: number;
}

export type Fault = (call: FaultCall) => Promise<void> | void;

/** The user and password that `/auth/` wants. */
export const basicCredentials = { user: 'reader', password: 'open sesame' } as const;

const at = (call: FaultCall) => Math.floor((call.file.sizeBytes * call.percent) / 100);
const times = (call: FaultCall) => Number(call.url.searchParams.get('times') ?? 1);

function tweaked(tweaks: (call: FaultCall) => Tweaks): Fault {
  return (call) => sendFile(call, tweaks(call));
}

function status(code: number, headers: Record<string, string> = {}): Fault {
  return (call) => answerStatus(call, code, headers);
}

function answerStatus(call: FaultCall, code: number, headers: Record<string, string> = {}): void {
  call.onStatus(code);
  call.response.writeHead(code, { 'content-type': 'text/plain', ...headers });
  call.response.end(`${code}\n`);
}

function redirect(call: FaultCall, location: string, code = 302): void {
  answerStatus(call, code, { location });
}

/** First answers (`?times=`, 1 by default) with the status, then with the file. */
function statusThenOk(code: number, headers: (call: FaultCall) => Record<string, string>): Fault {
  return (call) => (call.visit <= times(call) ? answerStatus(call, code, headers(call)) : sendFile(call));
}

/** Path segment → what goes wrong. A `%` in a name stands for a percentage of the file's size. */
export const faults: Readonly<Record<string, Fault>> = {
  ok: tweaked(() => ({})),
  '401': status(401, { 'www-authenticate': 'Basic realm="x"' }),
  '403': status(403),
  '404': status(404),
  '410': status(410),
  '500': status(500),
  '503': status(503),
  '204': status(204),
  '500-then-ok': statusThenOk(500, () => ({})),
  '503-retry-after': statusThenOk(503, (call) => ({
    'retry-after': call.url.searchParams.get('seconds') ?? '1',
  })),
  '429-retry-after': statusThenOk(429, (call) => ({
    'retry-after': call.url.searchParams.get('seconds') ?? '1',
  })),
  'reset-at-%': tweaked((call) => ({ cutAt: at(call), afterCut: 'reset' })),
  'reset-once-at-%': tweaked((call) =>
    call.visit <= times(call) ? { cutAt: at(call), afterCut: 'reset' } : {},
  ),
  'stall-at-%': tweaked((call) => ({ cutAt: at(call), afterCut: 'stall' })),
  'stall-once-at-%': tweaked((call) =>
    call.visit <= times(call) ? { cutAt: at(call), afterCut: 'stall' } : {},
  ),
  /** Accepts the request and never answers it. */
  hang: () => {},
  /** Closes the connection instead of answering. */
  close: (call) => {
    call.response.socket?.destroy();
  },
  /** Answers with something that is not HTTP. */
  'not-http': (call) => {
    call.response.socket?.end('SSH-2.0-OpenSSH_9.2\r\n\r\n');
  },
  /** Promises the whole length, sends less, closes the connection in good order. */
  short: tweaked((call) => ({ cutAt: call.file.sizeBytes - missing(call), afterCut: 'close' })),
  /** Sends less and says so: nothing looks wrong unless the true size is known. */
  'short-declared': tweaked((call) => ({
    cutAt: call.file.sizeBytes - missing(call),
    afterCut: 'close',
    declaredLength: call.file.sizeBytes - missing(call),
    ranges: false,
  })),
  /** Bytes after the end, without a declared length. */
  long: tweaked(() => ({ declaredLength: 'none', extra: randomBytes(1000), ranges: false })),
  /** Bytes after the end, declared. */
  'long-declared': tweaked((call) => ({
    declaredLength: call.file.sizeBytes + 1000,
    extra: randomBytes(1000),
    ranges: false,
  })),
  /** One bit in the middle (`?at=POSITION`) is wrong. */
  corrupt: tweaked((call) => ({
    corruptAt: [Number(call.url.searchParams.get('at') ?? Math.floor(call.file.sizeBytes / 2))],
  })),
  'corrupt-once': tweaked((call) =>
    call.visit <= times(call) ? { corruptAt: [Math.floor(call.file.sizeBytes / 2)] } : {},
  ),
  slow: tweaked((call) => ({ bytesPerSecond: Number(call.url.searchParams.get('rate') ?? 100_000) })),
  /** `?hops=` redirects, then the file. */
  redirect: (call) => {
    const hops = Number(call.url.searchParams.get('hops') ?? 1);
    redirect(call, hops > 1 ? `/redirect/${call.name}?hops=${hops - 1}` : `/ok/${call.name}`);
  },
  'redirect-loop': (call) => redirect(call, call.url.pathname),
  'redirect-to': (call) => redirect(call, call.url.searchParams.get('url') ?? '', 307),
  'redirect-nowhere': (call) => answerStatus(call, 302),
  'wrong-content-encoding': tweaked(() => ({ headers: { 'content-encoding': 'gzip' } })),
  'no-range': tweaked(() => ({ ranges: false })),
  chunked: tweaked(() => ({ declaredLength: 'none', ranges: false })),
  'chunked-cut': tweaked((call) => ({
    declaredLength: 'none',
    ranges: false,
    cutAt: Math.floor(call.file.sizeBytes / 2),
    afterCut: 'close',
  })),
  auth: (call) => {
    const { user, password } = basicCredentials;
    const wanted = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    if (call.request.headers.authorization === wanted) return sendFile(call);
    return answerStatus(call, 401, { 'www-authenticate': 'Basic realm="images"' });
  },
  /** Wants the request header `?name=` with the value `?value=`. */
  header: (call) => {
    const { searchParams } = call.url;
    const given = call.request.headers[(searchParams.get('name') ?? '').toLowerCase()];
    return given === searchParams.get('value') ? sendFile(call) : answerStatus(call, 403);
  },
  /** A page for people, with 200: a portal, a login, an error page of a content network. */
  'web-page': (call) => {
    call.onStatus(200);
    call.response.writeHead(200, { 'content-type': 'text/html' });
    call.response.end('<!DOCTYPE html>\n<html><body>Please log in.</body></html>\n');
  },
  empty: (call) => {
    call.onStatus(200);
    call.response.writeHead(200, { 'content-length': '0' });
    call.response.end();
  },
};

function missing(call: FaultCall): number {
  return Math.min(1000, Math.ceil(call.file.sizeBytes / 4));
}

/** Finds the fault of a path segment; `reset-at-50` is the row `reset-at-%` with 50 percent. */
export function faultOf(segment: string): { fault: Fault; percent: number } | undefined {
  const exact = faults[segment];
  if (exact) return { fault: exact, percent: 50 };
  const match = /^(.*-)(\d{1,3})$/.exec(segment);
  const parametrised = match && faults[`${match[1]}%`];
  return parametrised ? { fault: parametrised, percent: Math.min(100, Number(match[2])) } : undefined;
}
