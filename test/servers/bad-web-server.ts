import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { faultOf } from './faults.ts';
import { type ServedFile, servedBuffer, servedFromDirectory } from './served-files.ts';

export { basicCredentials, faults } from './faults.ts';

/**
 * A web server that misbehaves on request: `/FAULT/NAME` serves the file NAME with the fault of that name (the table is
 * `faults.ts`; `/ok/NAME` is correct). `GET /_requests` answers what was asked so far.
 */
export interface BadWebServerOptions {
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Where names not in `files` are looked up. */
  readonly directory?: string;
  readonly port?: number;
  readonly host?: string;
  /** Serves https. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer };
}

export interface RequestRecord {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;
  /** Bytes of the body handed to the connection. */
  readonly bytesSent: number;
}

export interface BadWebServer extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** `url('ok', 'image.qcow2')` */
  url(fault: string, name?: string): string;
  requests(): readonly RequestRecord[];
  /** Bytes sent by all requests whose path contains the text. */
  bytesSent(pathPart?: string): number;
  setFile(name: string, content: Uint8Array): void;
  close(): Promise<void>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export async function startBadWebServer(options: BadWebServerOptions = {}): Promise<BadWebServer> {
  const files = new Map(Object.entries(options.files ?? {}));
  const records: Mutable<RequestRecord>[] = [];
  const visits = new Map<string, number>();

  const find = async (name: string): Promise<ServedFile | undefined> => {
    const content = files.get(name);
    if (content) return servedBuffer(content);
    return options.directory === undefined ? undefined : servedFromDirectory(options.directory, name);
  };

  const onRequest = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // a client that goes away in the middle is what many tests do
    response.on('error', () => {});
    const path = request.url ?? '/';
    if (path === '/_requests') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(records));
      return;
    }
    const record = newRecord(request, path);
    records.push(record);
    const visit = (visits.get(path) ?? 0) + 1;
    visits.set(path, visit);
    await answer({ request, response, record, visit, find });
  };

  const listener = (request: IncomingMessage, response: ServerResponse) => {
    onRequest(request, response).catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : undefined),
    );
  };
  const server = options.tls ? createHttpsServer(options.tls, listener) : createHttpServer(listener);
  // clients that refuse a certificate, or speak TLS to a plain server, are expected here
  server.on('tlsClientError', () => {});
  server.on('clientError', (_error, socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await listen(server, options.port ?? 0, options.host ?? '127.0.0.1');
  const { port } = server.address() as AddressInfo;
  const origin = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;

  const close = async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    server.closeAllConnections();
    await promise;
  };
  return {
    port,
    origin,
    url: (fault, name = '') => `${origin}/${fault}/${name}`,
    requests: () => records.map((record) => ({ ...record })),
    bytesSent: (part = '') => sumOfBytes(records.filter(({ path }) => path.includes(part))),
    setFile: (name, content) => {
      files.set(name, content);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function sumOfBytes(records: readonly RequestRecord[]): number {
  return records.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
}

function newRecord(request: IncomingMessage, path: string): Mutable<RequestRecord> {
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
  return {
    method: request.method ?? 'GET',
    path,
    headers: Object.fromEntries(headers),
    status: 0,
    bytesSent: 0,
  };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly record: Mutable<RequestRecord>;
  readonly visit: number;
  readonly find: (name: string) => Promise<ServedFile | undefined>;
}

async function answer({ request, response, record, visit, find }: Exchange): Promise<void> {
  const url = new URL(record.path, 'http://server.invalid');
  const [, segment = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
  const name = rest.join('/');
  const found = faultOf(segment);
  // faults that need no file work with any name, or with none
  const file = (await find(name)) ?? (needsFile(segment) ? undefined : servedBuffer(Buffer.alloc(0)));
  if (!found || !file) {
    record.status = 404;
    response.writeHead(404).end(found ? `no file ${name}\n` : `no fault ${segment}\n`);
    return;
  }
  await found.fault({
    request,
    response,
    file,
    url,
    name,
    visit,
    percent: found.percent,
    onBytes: (count) => {
      record.bytesSent += count;
    },
    onStatus: (status) => {
      record.status = status;
    },
  });
}

const withoutFile = /^(\d+|hang|close|not-http|redirect.*|web-page|empty)$/;

function needsFile(segment: string): boolean {
  return !withoutFile.test(segment);
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, () => resolve());
  await promise;
}
