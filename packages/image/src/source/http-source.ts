import type { IncomingHttpHeaders } from 'node:http';
import { redactUrl } from '@millrace/core';
import { Agent, type Dispatcher, request } from 'undici';
import { FetchFault } from '../errors.ts';
import type { EgressPolicy } from '../types.ts';
import { type ConnectorOptions, makeGuardedConnector } from './connector.ts';
import { makeAddressCheck } from './egress.ts';
import { guardedBody } from './guarded-body.ts';
import { networkFault } from './network-faults.ts';
import { firstHop, type Hop, nextHop } from './redirect.ts';
import { parseRetryAfter } from './retry-after.ts';

/** A source that answered and is ready to send. Its body must be consumed or `close` called. */
export interface OpenedSource {
  /** Where the redirects ended, redacted. */
  readonly finalUrl: string;
  /** Bytes this answer promises. */
  readonly lengthBytes: number | undefined;
  /** Bytes of the whole file, as far as the answer tells. */
  readonly totalBytes: number | undefined;
  readonly warnings: readonly string[];
  readonly body: AsyncGenerator<Buffer, void, undefined>;
  close(): void;
}

export interface OpenOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Ask for the first bytes only; a server may send all the same. */
  readonly firstBytes?: number;
  readonly signal: AbortSignal;
}

export interface HttpClient extends AsyncDisposable {
  /** @throws FetchFault of the source; the signal's reason when aborted. */
  open(url: string, options: OpenOptions): Promise<OpenedSource>;
}

export interface HttpClientOptions {
  readonly egress: EgressPolicy | undefined;
  readonly connectTimeoutMs: number;
  readonly stallTimeoutMs: number;
  readonly maxRedirects: number;
  readonly extraCa?: ConnectorOptions['extraCa'];
  readonly lookup?: ConnectorOptions['lookup'];
}

/** Opens http and https URLs under an egress policy that holds for every connection, redirects included. */
export function makeHttpClient(options: HttpClientOptions): HttpClient {
  const dispatcher = new Agent({
    allowH2: false,
    pipelining: 1,
    connect: makeGuardedConnector({
      addresses: makeAddressCheck(options.egress),
      connectTimeoutMs: options.connectTimeoutMs,
      ...(options.extraCa ? { extraCa: options.extraCa } : {}),
      ...(options.lookup ? { lookup: options.lookup } : {}),
    }),
    // guarded-body.ts watches for stalls
    bodyTimeout: 0,
    headersTimeout: 0,
  });
  return {
    open: (url, openOptions) =>
      openFollowing(dispatcher, firstHop(url, openOptions.headers), openOptions, options),
    [Symbol.asyncDispose]: () => dispatcher.destroy(),
  };
}

async function openFollowing(
  dispatcher: Dispatcher,
  first: Hop,
  open: OpenOptions,
  client: HttpClientOptions,
): Promise<OpenedSource> {
  let hop = first;
  for (let redirects = 0; ; redirects++) {
    const response = await send(dispatcher, hop, open, client);
    const { statusCode, headers } = response;
    if (![301, 302, 303, 307, 308].includes(statusCode)) {
      try {
        return openedSource(response, { hop, first, open, client });
      } catch (error) {
        discard(response);
        throw error;
      }
    }
    discard(response);
    if (redirects >= client.maxRedirects) {
      throw new FetchFault('REDIRECT_LIMIT', `more than ${client.maxRedirects}`);
    }
    hop = nextHop(hop, single(headers['location']));
  }
}

async function send(
  dispatcher: Dispatcher,
  hop: Hop,
  open: OpenOptions,
  client: HttpClientOptions,
): Promise<Dispatcher.ResponseData> {
  // a controller and not AbortSignal.timeout: the signal stays bound to the body, which may take hours
  const waiting = new AbortController();
  const timer = setTimeout(() => waiting.abort(), client.connectTimeoutMs + client.stallTimeoutMs);
  try {
    return await request(hop.url, {
      dispatcher,
      method: 'GET',
      signal: AbortSignal.any([open.signal, waiting.signal]),
      headers: {
        'user-agent': 'millrace',
        accept: '*/*',
        ...hop.headers,
        // the digest is that of the file as published: no transformation may come between
        'accept-encoding': 'identity',
        ...(open.firstBytes === undefined ? {} : { range: `bytes=0-${open.firstBytes - 1}` }),
      },
    });
  } catch (error) {
    open.signal.throwIfAborted();
    if (waiting.signal.aborted) {
      throw new FetchFault('TRANSFER_STALLED', `no answer within ${client.stallTimeoutMs / 1000} s`);
    }
    throw networkFault(error);
  } finally {
    clearTimeout(timer);
  }
}

interface Exchange {
  readonly hop: Hop;
  readonly first: Hop;
  readonly open: OpenOptions;
  readonly client: HttpClientOptions;
}

function openedSource(response: Dispatcher.ResponseData, exchange: Exchange): OpenedSource {
  const { headers, body } = response;
  const { hop, first, open, client } = exchange;
  checkStatus(response, open.firstBytes !== undefined);
  const encoding = single(headers['content-encoding'])?.trim().toLowerCase();
  if (encoding !== undefined && encoding !== '' && encoding !== 'identity') {
    throw new FetchFault('CONTENT_ENCODING', encoding.slice(0, 40));
  }
  const declared = single(headers['content-length']);
  const lengthBytes = declared !== undefined && /^\d{1,15}$/.test(declared) ? Number(declared) : undefined;
  return {
    finalUrl: redactUrl(hop.url.href),
    lengthBytes,
    totalBytes: response.statusCode === 206 ? totalOfRange(headers) : lengthBytes,
    warnings:
      first.url.protocol === 'https:' && hop.url.protocol === 'http:'
        ? [
            `${redactUrl(first.url.href)} redirects from https to http: nobody vouches for the bytes on the way`,
          ]
        : [],
    body: guardedBody(body, { stallTimeoutMs: client.stallTimeoutMs, signal: open.signal }),
    close: () => discard(response),
  };
}

/** @throws FetchFault unless the status is that of a file being sent. */
function checkStatus({ statusCode, headers }: Dispatcher.ResponseData, ranged: boolean): void {
  if (statusCode === 200) return;
  if (statusCode === 206 && ranged) {
    if (/^bytes 0-/.test(single(headers['content-range']) ?? '')) return;
    throw new FetchFault('HTTP_UNEXPECTED', 'a range other than the one asked for');
  }
  const answered = `answered ${statusCode}`;
  if (statusCode === 404 || statusCode === 410) throw new FetchFault('HTTP_NOT_FOUND', answered);
  if ([401, 403, 407].includes(statusCode)) throw new FetchFault('HTTP_DENIED', answered);
  // an empty file has no first byte to send
  if (statusCode === 416 && ranged) throw new FetchFault('IMAGE_EMPTY', answered);
  if ([408, 425, 429, 503].includes(statusCode)) {
    const retryAfterMs = parseRetryAfter(single(headers['retry-after']), Date.now());
    throw new FetchFault('HTTP_BUSY', answered, retryAfterMs === undefined ? {} : { retryAfterMs });
  }
  if (statusCode >= 500) throw new FetchFault('HTTP_SERVER_ERROR', answered);
  if (statusCode >= 400) throw new FetchFault('HTTP_REJECTED', answered);
  throw new FetchFault('HTTP_UNEXPECTED', answered);
}

function totalOfRange(headers: IncomingHttpHeaders): number | undefined {
  const match = /^bytes \d+-\d+\/(\d{1,15})$/.exec(single(headers['content-range']) ?? '');
  return match ? Number(match[1]) : undefined;
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** Ends a response whose body nobody wants. */
function discard({ body }: Dispatcher.ResponseData): void {
  // destroying an unread body makes undici report the abort as an error of the stream
  body.on('error', () => {});
  body.destroy();
}
