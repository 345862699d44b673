import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import { pipeline } from 'node:stream/promises';
import send from '@fastify/send';
import type { PoolReference } from '@millrace/agent-protocol';
import { describeError, hasErrorCode, type Logger } from '@millrace/core';
import { requirePool } from '../storage/pool.ts';
import { type Grant, openGrant, sealGrant } from './grant.ts';

/** Serves committed images by HTTP, with ranges, to whoever has a grant: other hosts, and users. */
export interface ImageServer extends AsyncDisposable {
  /** A path that lets its bearer read one image. */
  grant(grant: Grant): string;
  /** Where it is reached, from a host and by users. @param addresses of this host, the most public first */
  urls(addresses: readonly string[]): { readonly hostUrl: string; readonly publicUrl: string };
}

export interface ImageServerOptions {
  /** `ADDRESS:PORT`, IPv6 addresses in brackets. */
  readonly listen: string;
  readonly publicUrl: string | undefined;
  readonly key: Buffer;
  /** The pool with its directory on this host. */
  readonly resolve: (pool: PoolReference, signal: AbortSignal) => Promise<PoolReference>;
  readonly log: Logger;
}

/** More at once would only share the same disk. */
const maxConnections = 256;
const readBytes = 1024 ** 2;

/** @throws Error of the system when the address cannot be listened on */
export async function startImageServer(options: ImageServerOptions): Promise<ImageServer> {
  const { listen, publicUrl, key, log } = options;
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|(.+)):(\d+)$/.exec(listen) ?? [];
  const host = bracketed ?? plain ?? '';
  const closing = new AbortController();
  const server = createServer((request, response) => {
    answer(options, request, response, closing.signal).catch((error: unknown) => {
      log.warn({ reason: describeError(error) }, 'an image could not be served');
      if (response.headersSent) response.destroy();
      // whoever asks has to ask again: the share may be away for a moment
      else end(response, 503, 'the image cannot be read now', { 'retry-after': '5' });
    });
  });
  server.maxConnections = maxConnections;
  server.listen(Number(port), host);
  await once(server, 'listening');
  const { port: bound } = server.address() as AddressInfo;
  return {
    // in the query, which no log and no attempt shows
    grant: (grant) => `/image/${encodeURIComponent(grant.name)}?grant=${sealGrant(key, grant)}`,
    urls: (addresses) => {
      const own = isWildcard(host) ? (addresses[0] ?? '127.0.0.1') : host;
      const hostUrl = `http://${isIPv6(own) ? `[${own}]` : own}:${bound}`;
      return { hostUrl, publicUrl: publicUrl?.replace(/\/+$/, '') ?? hostUrl };
    },
    [Symbol.asyncDispose]: () => stop(server, closing),
  };
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

async function answer(
  { key, resolve, log }: ImageServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  response.on('error', () => {});
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return end(response, 405, 'images can only be read', { allow: 'GET, HEAD' });
  const word = /^\/image\/[^/?]*\?grant=([\w-]{40,8192})$/.exec(request.url ?? '')?.[1];
  const grant = word === undefined ? undefined : openGrant(key, word);
  if (!grant) return end(response, 404, 'there is nothing here');
  if (grant.expires <= Date.now()) return end(response, 410, 'this link has expired: ask for a new one');
  const pool = await resolve(grant.pool, signal);
  await requirePool(pool);
  const sent = await send(request, `/${encodeURIComponent(grant.installPath)}`, {
    root: pool.path,
    index: false,
    dotfiles: 'deny',
    cacheControl: false,
    contentType: false,
    highWaterMark: readBytes,
  });
  if (sent.type !== 'file') {
    sent.stream.destroy();
    if (sent.statusCode === 416)
      return end(response, 416, 'the image is shorter', {
        'content-range': sent.headers['Content-Range'] ?? '',
      });
    if (sent.statusCode === 412) return end(response, 412, 'the image is another one');
    return end(response, 404, 'the image is not on its store any more');
  }
  response.writeHead(sent.statusCode, {
    ...sent.headers,
    'content-type': 'application/octet-stream',
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, no-transform',
    'content-disposition': `attachment; filename*=UTF-8''${extValue(grant.name)}`,
  });
  log.debug({ image: grant.installPath, status: sent.statusCode }, 'serving an image');
  try {
    await pipeline(sent.stream, response, { signal });
  } catch (error) {
    // whoever asked has enough of it
    if (!hasErrorCode(error, 'ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE', 'ABORT_ERR')) throw error;
  }
}

function end(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { ...headers, 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

async function stop(server: Server, closing: AbortController): Promise<void> {
  closing.abort(new Error('the agent is stopping'));
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

/** RFC 8187 §3.2.1: these four are no attr-chars, and `encodeURIComponent` leaves them. */
function extValue(text: string): string {
  return encodeURIComponent(text).replaceAll(/['()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
}
