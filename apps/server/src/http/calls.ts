import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import cookie from '@fastify/cookie';
import { ApiError, allSpecs, joinParams, wireValue } from '@millrace/api';
import { describeError, type Logger } from '@millrace/core';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ServerConfig } from '../config.ts';
import { errorEnvelope } from './envelope.ts';
import type { Metrics } from './metrics.ts';
import type { ApiReply, ApiRequest } from './request.ts';

/** User data of 1 MiB, Base64 and percent-encoded, fits. */
const bodyLimitBytes = 1536 * 1024;
/** Some clients put certificates and user data into the URL of a GET. */
const maxHeaderBytes = 256 * 1024;

/** Only names that exist label a figure: whoever makes names up must not make figures. */
const commandNames: ReadonlyMap<string, string> = new Map(
  allSpecs.map(({ name }) => [name.toLowerCase(), name]),
);

const contentType = 'application/json; charset=UTF-8';
const formType = /^application\/x-www-form-urlencoded(;|$)/i;

/** An HTTP server whose every error is JSON as the API's are. */
export async function makeHttpServer(options: {
  readonly config: Pick<ServerConfig, 'trustedProxies'>;
  readonly log: Logger;
}): Promise<FastifyInstance> {
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
  return server;
}

/** Answers calls of the API at some paths. */
export function serveCalls(
  server: FastifyInstance,
  options: {
    readonly paths: readonly string[];
    readonly dispatch: (request: ApiRequest) => Promise<ApiReply>;
    readonly metrics: Metrics;
    /** Aborts when running calls shall end. */
    readonly closing: AbortSignal;
  },
): void {
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    let call: ApiRequest;
    try {
      call = readRequest(request, reply, options.closing);
    } catch (error) {
      if (error instanceof ApiError) return send(reply, refusal(error));
      throw error;
    }
    const started = performance.now();
    const answer = await options.dispatch(call);
    options.metrics.called({
      command: commandNames.get(wireValue(call.params, 'command')?.toLowerCase() ?? '') ?? 'unknown',
      status: answer.status,
      seconds: (performance.now() - started) / 1000,
    });
    return send(reply, answer);
  };
  for (const url of options.paths) server.route({ method: ['GET', 'POST'], url, handler });
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

/** A call as it came, freed from HTTP. */
export function requestOf(request: FastifyRequest, signal: AbortSignal): ApiRequest {
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

/** Answers in one line of JSON. */
export function send(reply: FastifyReply, answer: ApiReply): FastifyReply {
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

/** The answer to what is no call of a command. */
export function refusal(error: ApiError, status = error.errorcode): ApiReply {
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
