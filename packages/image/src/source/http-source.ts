import type { IncomingHttpHeaders } from 'node:http';
import type { SecureContext } from 'node:tls';
import { redactUrl } from '@millrace/core';
import { Agent, type Dispatcher, request } from 'undici';
import { FetchFault } from '../errors.ts';
import type { EgressPolicy } from '../types.ts';
import { type ConnectorOptions, makeGuardedConnector } from './connector.ts';
import { makeAddressCheck } from './egress.ts';
import { guardedBody } from './guarded-body.ts';
import { openGuardedSocket } from './guarded-socket.ts';
import { checkEncoding, checkPart, faultOfStatus, single } from './http-status.ts';
import { networkFault } from './network-faults.ts';
import {
  openRangeConnection,
  type RangeConnection,
  type RangeConnectionOptions,
} from './range-connection.ts';
import { firstHop, type Hop, nextHop } from './redirect.ts';
import { makeTrust } from './trusted-certificates.ts';
import { type ContentRange, parseContentRange, strongValidator } from './validator.ts';

/** A source that answered and is ready to send. Its body must be consumed or `close` called. */
export interface OpenedSource {
  /** Where the redirects ended, redacted. */
  readonly finalUrl: string;
  /** Where they ended and what to send there, for further requests. Holds secrets. `undefined` where there are none. */
  readonly target: Hop | undefined;
  /** Bytes this answer promises. */
  readonly lengthBytes: number | undefined;
  /** Bytes of the whole file, as far as the answer tells. */
  readonly totalBytes: number | undefined;
  /** True for a part of the file as it was asked for: further ones can be asked for too. */
  readonly ranged: boolean;
  /** Strong validator of the file, see validator.ts. */
  readonly validator: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly warnings: readonly string[];
  readonly body: AsyncGenerator<Buffer, void, undefined>;
  close(): void;
}

export interface OpenOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Ask for these bytes only, both ends included; a server may send everything all the same. */
  readonly range?: { readonly first: number; readonly last?: number };
  readonly signal: AbortSignal;
}

export interface HttpClient extends AsyncDisposable {
  /** @throws FetchFault of the source; the signal's reason when aborted. */
  open(url: string, options: OpenOptions): Promise<OpenedSource>;
  /** Connects to where an opened source came from, for further parts of it. To be disposed of. */
  connect(target: Hop, facts: RangeFacts): RangeConnection;
}

type RangeFacts = Pick<RangeConnectionOptions, 'validator' | 'totalBytes' | 'hold'>;

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
  let trust: SecureContext | undefined;
  const connector: ConnectorOptions = {
    trust: () => {
      trust ??= makeTrust(options.extraCa ?? []);
      return trust;
    },
    addresses: makeAddressCheck(options.egress),
    connectTimeoutMs: options.connectTimeoutMs,
    ...(options.lookup ? { lookup: options.lookup } : {}),
  };
  const dispatcher = new Agent({
    allowH2: false,
    pipelining: 1,
    connect: makeGuardedConnector(connector),
    // guarded-body.ts watches for stalls
    bodyTimeout: 0,
    headersTimeout: 0,
  });
  return {
    open: (url, openOptions) =>
      openFollowing(dispatcher, firstHop(url, openOptions.headers), openOptions, options),
    connect: (target, facts) =>
      openRangeConnection({
        ...facts,
        target,
        stallTimeoutMs: options.stallTimeoutMs,
        connectTimeoutMs: options.connectTimeoutMs,
        connect: (onread) => openGuardedSocket(target.url, connector, onread),
      }),
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
        ...(open.range === undefined ? {} : { range: `bytes=${open.range.first}-${open.range.last ?? ''}` }),
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
  const { headers, body, statusCode } = response;
  const { hop, first, open, client } = exchange;
  const range = checkStatus(response, open);
  if (range === undefined) checkEncoding(headers);
  const declared = single(headers['content-length']);
  const lengthBytes = declared !== undefined && /^\d{1,15}$/.test(declared) ? Number(declared) : undefined;
  return {
    finalUrl: redactUrl(hop.url.href),
    target: hop,
    lengthBytes: range === undefined ? lengthBytes : range.last - range.first + 1,
    totalBytes: statusCode === 206 ? range?.total : lengthBytes,
    ranged: range !== undefined,
    validator: strongValidator(headers),
    headers,
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

/**
 * @throws FetchFault unless the status is that of a file, or of the part of it that was asked for, being sent:
 * `RANGES_UNSUPPORTED` when the file may be had all the same, as a whole
 */
function checkStatus(
  { statusCode, headers }: Dispatcher.ResponseData,
  { range }: OpenOptions,
): ContentRange | undefined {
  if (statusCode === 200) return undefined;
  if (range === undefined || (statusCode !== 206 && statusCode !== 416)) {
    throw faultOfStatus(statusCode, headers);
  }
  // an empty file has no first byte to send either
  if (statusCode === 416) throw new FetchFault('RANGES_UNSUPPORTED', 'answered 416');
  const sent = parseContentRange(single(headers['content-range']));
  // a server may send less than was asked for (RFC 9110 §15.3.7), but nothing else
  if (sent?.first !== range.first || sent.last > (range.last ?? sent.last)) {
    throw new FetchFault('RANGES_UNSUPPORTED', 'it sends another part than the one asked for');
  }
  checkPart(headers, sent.last - sent.first + 1);
  return sent;
}

/** Ends a response whose body nobody wants. */
function discard({ body }: Dispatcher.ResponseData): void {
  // destroying an unread body makes undici report the abort as an error of the stream
  body.on('error', () => {});
  body.destroy();
}
