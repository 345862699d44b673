import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { promisify } from 'node:util';
import type { FaultCall } from './faults/fault.ts';
import { faultOf, needsFile } from './faults.ts';
import { newRecord, type OpenRecord, type RequestRecord, sumOfBytes } from './request-record.ts';
import { answerStatus } from './send-file.ts';
import { type ServedFile, servedBuffer, servedFromDirectory, withValidators } from './served-files.ts';
import { makeThrottle, type Throttle } from './throttle.ts';

export { basicCredentials, faults } from './faults.ts';
export { type RequestRecord, repeatedBytes } from './request-record.ts';

/**
 * A web server that misbehaves on request: `/FAULT/NAME` serves the file NAME with the fault of that name (the tables are
 * in `faults/`; `/ok/NAME` is correct). With every fault the query may say what kind of server it is besides:
 * `validator=none|weak|date|now`, `ranges=no`, `rate=BYTES_PER_SECOND`. `GET /_requests` answers what was asked so far.
 */
export interface BadWebServerOptions {
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Where names not in `files` are looked up. */
  readonly directory?: string;
  readonly port?: number;
  readonly host?: string;
  /** Serves https. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer };
  /** Shared by all connections. */
  readonly bytesPerSecond?: number;
  readonly bytesPerSecondPerConnection?: number;
  /** Requests answered at the same time; those beyond get 503. */
  readonly maxActive?: number;
}

export interface BadWebServer extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** `url('ok', 'image.qcow2')` */
  url(fault: string, name?: string): string;
  /** Those whose path contains the text, in the order of their arrival. */
  requests(pathPart?: string): readonly RequestRecord[];
  /** Bytes sent by all requests whose path contains the text. */
  bytesSent(pathPart?: string): number;
  /** Forgets the requests and how often each path was asked for. */
  forget(): void;
  /** How many requests were answered at the same time, at most, since it was started or told to forget. */
  mostActive(): number;
  /** Connections that nobody has closed. */
  openConnections(): Promise<number>;
  setFile(name: string, content: Uint8Array): void;
  /** Of all connections together; `undefined`: no limit. */
  setRate(bytesPerSecond: number | undefined): void;
  close(): Promise<void>;
}

export async function startBadWebServer(options: BadWebServerOptions = {}): Promise<BadWebServer> {
  const state = newState(options);
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    answer(state, request, response).catch((error: unknown) =>
      response.destroy(error instanceof Error ? error : undefined),
    );
  };
  const server = options.tls ? createHttpsServer(options.tls, listener) : createHttpServer(listener);
  // clients that refuse a certificate, or speak TLS to a plain server, are expected here
  server.on('tlsClientError', () => {});
  server.on('clientError', (_error, socket) => {
    // in the middle of an answer it would be taken for a part of it
    if (state.answering.has(socket)) socket.destroy();
    else socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  await listen(server, options.port ?? 0, options.host ?? '127.0.0.1');
  const { port } = server.address() as AddressInfo;
  const origin = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const matching = (part: string) => state.records.filter(({ path }) => path.includes(part));

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
    requests: (part = '') => matching(part).map((record) => ({ ...record })),
    bytesSent: (part = '') => sumOfBytes(matching(part)),
    forget() {
      state.records.length = 0;
      state.visits.clear();
      state.mostActive = 0;
    },
    mostActive: () => state.mostActive,
    openConnections: () => promisify(server.getConnections.bind(server))(),
    setFile: (name, content) => {
      state.files.set(name, servedBuffer(content));
    },
    setRate: (rate) => state.throttle.setRate(rate),
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Connection {
  readonly number: number;
  readonly throttle: Throttle;
  /** Requests that were received and not answered to the end. */
  open: number;
}

interface ServerState {
  readonly options: BadWebServerOptions;
  readonly files: Map<string, ServedFile>;
  readonly records: OpenRecord[];
  readonly visits: Map<string, number>;
  /** Requests being answered, by path and query. */
  readonly active: Map<string, number>;
  readonly throttle: Throttle;
  /** Connections with an answer under way. */
  readonly answering: WeakSet<object>;
  connectionOf(socket: Socket): Connection;
  mostActive: number;
}

function newState(options: BadWebServerOptions): ServerState {
  const connections = new WeakMap<Socket, Connection>();
  let opened = 0;
  return {
    options,
    files: new Map(
      Object.entries(options.files ?? {}).map(([name, content]) => [name, servedBuffer(content)]),
    ),
    records: [],
    visits: new Map(),
    active: new Map(),
    throttle: makeThrottle(options.bytesPerSecond),
    answering: new WeakSet(),
    connectionOf(socket) {
      const known = connections.get(socket);
      if (known) return known;
      opened += 1;
      const connection = {
        number: opened,
        throttle: makeThrottle(options.bytesPerSecondPerConnection),
        open: 0,
      };
      connections.set(socket, connection);
      return connection;
    },
    mostActive: 0,
  };
}

async function answer(state: ServerState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // a client that goes away in the middle is what many tests do
  response.on('error', () => {});
  const path = request.url ?? '/';
  if (path === '/_requests') {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(state.records));
    return;
  }
  const connection = state.connectionOf(request.socket);
  const record = newRecord(request, connection.number);
  state.records.push(record);
  const visit = (state.visits.get(path) ?? 0) + 1;
  state.visits.set(path, visit);
  connection.open += 1;
  response.once('close', () => {
    connection.open -= 1;
  });
  if (!(await turnOf(request, response))) return;
  const active = countActive(state, path, request, response);
  const onStatus = (status: number, from = 0) => {
    record.status = status;
    record.from = from;
  };
  const onBytes = (count: number) => {
    record.bytesSent += count;
  };
  if (active.all > (state.options.maxActive ?? Number.POSITIVE_INFINITY)) {
    answerStatus({ response, onStatus }, 503, { 'retry-after': '1' });
    return;
  }
  const askedAhead = () => connection.open > 1;
  const throttles = [state.throttle, connection.throttle];
  await misbehave(state, {
    request,
    response,
    throttles,
    visit,
    active: active.ofPath,
    askedAhead,
    onStatus,
    onBytes,
  });
}

type Exchange = Omit<FaultCall, 'file' | 'url' | 'name' | 'number'>;

async function misbehave(state: ServerState, exchange: Exchange): Promise<void> {
  const { request, response, onStatus } = exchange;
  const url = new URL(request.url ?? '/', 'http://server.invalid');
  const [, segment = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
  const name = rest.join('/');
  const found = faultOf(segment);
  const { directory } = state.options;
  const file =
    state.files.get(name) ??
    (directory === undefined ? undefined : await servedFromDirectory(directory, name)) ??
    (needsFile(segment) ? undefined : servedBuffer(Buffer.alloc(0)));
  if (!found || !file) {
    onStatus(404);
    response.writeHead(404).end(found ? `no file ${name}\n` : `no fault ${segment}\n`);
    return;
  }
  const { searchParams } = url;
  if (searchParams.get('ranges') === 'no') delete request.headers.range;
  const rate = searchParams.get('rate');
  const throttles = rate === null ? exchange.throttles : [...exchange.throttles, makeThrottle(Number(rate))];
  const served = withValidators(file, searchParams.get('validator'));
  await found.fault({ ...exchange, throttles, file: served, url, name, number: found.number });
}

/**
 * Waits until the answers to the requests before this one, on the same connection, are complete. Without it a pipelined
 * request would count as answered while its answer is still held back. False when the connection went before.
 */
async function turnOf(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  if (response.socket) return true;
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once('socket', () => resolve());
  request.socket.once('close', resolve);
  await promise;
  request.socket.off('close', resolve);
  return !request.socket.destroyed;
}

function countActive(
  state: ServerState,
  path: string,
  { socket }: IncomingMessage,
  response: ServerResponse,
): { readonly ofPath: number; readonly all: number } {
  const { active } = state;
  const ofPath = (active.get(path) ?? 0) + 1;
  active.set(path, ofPath);
  state.answering.add(socket);
  const all = [...active.values()].reduce((sum, count) => sum + count, 0);
  state.mostActive = Math.max(state.mostActive, all);
  let over = false;
  const done = () => {
    if (over) return;
    over = true;
    socket.off('close', done);
    active.set(path, (active.get(path) ?? 1) - 1);
    state.answering.delete(socket);
  };
  response.once('close', done);
  socket.once('close', done);
  return { ofPath, all };
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, () => resolve());
  await promise;
}
