import { randomUUID } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import cookie from '@fastify/cookie';
import { ApiError, allSpecs, joinParams, wireValue } from '@millrace/api';
import { describeError, type Logger } from '@millrace/core';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ConsoleStreams } from '../agents/console-streams.ts';
import type { CommandDependencies } from '../commands/command.ts';
import type { ChangeNotices } from '../store/change-notices.ts';
import { deleteOldConsolePermissions } from '../store/console-sessions.ts';
import { authenticate } from './authenticate.ts';
import { serveChanges } from './change-stream.ts';
import { serveConsole } from './console-files.ts';
import { serveConsoles } from './console-socket.ts';
import { makeDispatcher } from './dispatch.ts';
import { errorEnvelope } from './envelope.ts';
import { makeMetrics } from './metrics.ts';
import { serveOperators } from './operators.ts';
import { serveReference } from './reference/serve-reference.ts';
import type { ApiReply, ApiRequest } from './request.ts';
import { sweepSessions } from './sessions.ts';

export interface Api {
  readonly port: number;
  /** Lets running calls end, then closes. */
  close(): Promise<void>;
}

/** User data of 1 MiB, Base64 and percent-encoded, fits. */
const bodyLimitBytes = 1536 * 1024;
/** Some clients put certificates and user data into the URL of a GET. */
const maxHeaderBytes = 256 * 1024;
const sweepIntervalMs = 600_000;
const closePatienceMs = 5000;

/** Only names that exist label a figure: whoever makes names up must not make figures. */
const commandNames: ReadonlyMap<string, string> = new Map(
  allSpecs.map(({ name }) => [name.toLowerCase(), name]),
);

const contentType = 'application/json; charset=UTF-8';
const formType = /^application\/x-www-form-urlencoded(;|$)/i;

/** Opens the API on `config.apiHost`:`config.apiPort` (0 means whichever port is free). */
export async function startApi(
  options: CommandDependencies & { readonly consoles: ConsoleStreams; readonly changes: ChangeNotices },
): Promise<Api> {
  const closing = new AbortController();
  const dispatch = makeDispatcher({ ...options, clock: () => new Date() });
  const server = Fastify({
    logger: false,
    trustProxy: options.config.trustedProxies ?? false,
    bodyLimit: bodyLimitBytes,
    // a client that does not finish its request must not hold a socket for ever
    requestTimeout: 60_000,
    forceCloseConnections: 'idle',
    http: { maxHeaderSize: maxHeaderBytes },
    clientErrorHandler: answerMalformed,
    frameworkErrors: (error, _request, reply) => sendBroken(reply, error, options.log),
  });
  await server.register(cookie);
  readFormsAsText(server);
  server.setErrorHandler((error, _request, reply) => sendBroken(reply, error, options.log));
  const metrics = makeMetrics(options.database);
  serveOperators(server, { ...options, metrics });
  serveReference(server);
  const sendPage = await serveConsole(server, options.config.webDir);
  server.setNotFoundHandler((request, reply) =>
    sendPage(request, reply)
      ? reply
      : send(reply, refusal(new ApiError('UNSUPPORTED_ACTION_ERROR', 'the API is at /client/api'), 404)),
  );
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    let call: ApiRequest;
    try {
      call = readRequest(request, reply, closing.signal);
    } catch (error) {
      if (error instanceof ApiError) return send(reply, refusal(error));
      throw error;
    }
    const started = performance.now();
    const answer = await dispatch(call);
    metrics.called({
      command: commandNames.get(wireValue(call.params, 'command')?.toLowerCase() ?? '') ?? 'unknown',
      status: answer.status,
      seconds: (performance.now() - started) / 1000,
    });
    return send(reply, answer);
  };
  for (const url of ['/client/api', '/client/api/']) {
    server.route({ method: ['GET', 'POST'], url, handler });
  }
  const endStreams = serveChanges(server, {
    changes: options.changes,
    authenticate: (request) => authenticate(options.database, requestOf(request, closing.signal), new Date()),
  });
  await server.listen({ host: options.config.apiHost, port: options.config.apiPort });
  // such as no file descriptor left for a new connection: it passes, and must not end the process
  server.server.on('error', (error) =>
    options.log.error({ error: describeError(error) }, 'the API’s port met an error'),
  );
  const endConsoles = serveConsoles(server.server, options);
  const sweeper = sweepRegularly(options);
  const { port } = server.server.address() as AddressInfo;
  return {
    port,
    async close() {
      clearInterval(sweeper);
      endConsoles();
      endStreams();
      const patience = setTimeout(() => {
        closing.abort(new ApiError('RESOURCE_UNAVAILABLE_ERROR', 'the server stops; try again'));
        server.server.closeAllConnections();
      }, closePatienceMs);
      try {
        await server.close();
      } finally {
        clearTimeout(patience);
      }
    },
  };
}

/** The form is kept as text: duplicates must be seen, and a body of another type must be refused. */
function readFormsAsText(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    const type = request.headers['content-type'] ?? '';
    if (body === '' || formType.test(type)) done(null, body);
    else {
      done(
        new ApiError(
          'MALFORMED_PARAMETER_ERROR',
          'the body of a POST must be of type application/x-www-form-urlencoded',
        ),
      );
    }
  });
}

function readRequest(request: FastifyRequest, reply: FastifyReply, closing: AbortSignal): ApiRequest {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new Error('the client closed the connection'));
  });
  const read = requestOf(request, AbortSignal.any([gone.signal, closing]));
  // what a user passes on to the operator, who finds it in the log of the server and of the host
  reply.header('x-correlation-id', read.correlation);
  return read;
}

function requestOf(request: FastifyRequest, signal: AbortSignal): ApiRequest {
  const { url = '' } = request.raw;
  const mark = url.indexOf('?');
  const query = mark < 0 ? '' : url.slice(mark + 1);
  return {
    method: request.method === 'POST' ? 'POST' : 'GET',
    params: joinParams(query, typeof request.body === 'string' ? request.body : ''),
    cookies: request.cookies,
    clientAddress: request.ip ?? '',
    origin: originOf(request),
    fetchSite: headerText(request.headers['sec-fetch-site']),
    correlation: randomUUID(),
    signal,
  };
}

/** Whatever stands in the Host header, what comes of it is an origin and nothing more. */
function originOf(request: FastifyRequest): string {
  const text = `${request.protocol}://${request.host}`;
  return URL.canParse(text) ? new URL(text).origin : `http://localhost:${request.socket.localPort}`;
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value;
}

function send(reply: FastifyReply, answer: ApiReply): FastifyReply {
  for (const { name, value } of answer.cookies) {
    const attributes = {
      path: '/client/api',
      httpOnly: true,
      sameSite: 'strict',
      // a proxy that is trusted says how the browser came
      secure: reply.request.protocol === 'https',
    } as const;
    if (value === '') reply.clearCookie(name, attributes);
    else reply.setCookie(name, value, attributes);
  }
  return reply
    .code(answer.status)
    .headers({
      'content-type': contentType,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    .send(JSON.stringify(answer.body));
}

function refusal(error: ApiError, status = error.errorcode): ApiReply {
  return { status, body: errorEnvelope(undefined, error), cookies: [] };
}

/** Errors of HTTP itself: a body too large, a malformed request. */
function sendBroken(reply: FastifyReply, error: unknown, log: Logger): FastifyReply {
  if (error instanceof ApiError) return send(reply, refusal(error));
  const status = errorStatus(error);
  if (status >= 400 && status < 500) {
    const text = error instanceof Error ? error.message : 'the request is malformed';
    return send(reply, refusal(new ApiError('MALFORMED_PARAMETER_ERROR', text)));
  }
  const correlation = randomUUID();
  log.error({ correlation, error: describeError(error) }, 'a request failed unexpectedly');
  const text = `The server failed to do this. The reason is in its log under correlation ${correlation}`;
  return send(reply, refusal(new ApiError('INTERNAL_ERROR', text)));
}

/** What never became a request: it is answered by hand, in JSON as everything else. */
function answerMalformed(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const text = tooLarge
    ? `the URL and headers are larger than ${maxHeaderBytes} bytes: send the parameters by POST`
    : 'the request is malformed';
  const answer = refusal(new ApiError('MALFORMED_PARAMETER_ERROR', text));
  const body = JSON.stringify(answer.body);
  socket.end(
    [
      `HTTP/1.1 ${answer.status} Malformed`,
      `Content-Type: ${contentType}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

function errorStatus(error: unknown): number {
  const status =
    typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : 500;
  return typeof status === 'number' ? status : 500;
}

function sweepRegularly({ database, log }: CommandDependencies): NodeJS.Timeout {
  const timer = setInterval(() => {
    Promise.all([sweepSessions(database), deleteOldConsolePermissions(database)]).catch((error: unknown) => {
      log.warn({ error: describeError(error) }, 'expired sessions could not be deleted; tried again later');
    });
  }, sweepIntervalMs);
  return timer.unref();
}
