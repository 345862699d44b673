import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { consolePath, joinPath, joinRequest } from '@millrace/agent-protocol';
import { describeError, type Logger, MillraceError } from '@millrace/core';
import { WebSocketServer } from 'ws';
import { Detached } from '../domain/failure-policy.ts';
import type { Database } from '../store/database.ts';
import { findHost } from '../store/host-reports.ts';
import type { Row } from '../store/schema.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { makeConnections } from './connections.ts';
import { type ConsoleStreams, makeConsoleStreams } from './console-streams.ts';
import { removeDeletedNetworks } from './deleted-networks.ts';
import type { AgentGateway } from './gateway.ts';
import { type HostSessionDeps, heartbeatMs, serveHost } from './host-session.ts';
import { startHostWatch } from './host-watch.ts';
import { joinHost } from './join-host.ts';
import { makeGateway } from './make-gateway.ts';
import { makeVmReports } from './vm-reports.ts';

/** Where agents connect, below the agent port. */
export const agentPath = '/agent';

export interface Agents {
  readonly gateway: AgentGateway;
  readonly consoles: ConsoleStreams;
  readonly port: number;
  /** Ends every connection. What hosts are doing goes on; agents come back to whoever listens next. */
  close(): Promise<void>;
}

export interface AgentsOptions {
  readonly database: Database;
  readonly authority: CertificateAuthority;
  readonly host: string;
  readonly port: number;
  readonly log: Logger;
}

const maxJoinBytes = 32 * 1024;
/** A hello names every domain of a host: a few hundred bytes each. */
const maxMessageBytes = 8 * 1024 * 1024;
/** Of a console: what a guest paints or prints comes in pieces of some 64 KiB. */
const maxConsoleMessageBytes = 1024 * 1024;
const certificateCheckMs = 24 * 3600 * 1000;

/** Opens the agent port: TLS 1.3, joining with a one-time token, everything else with a certificate of our CA. */
export async function startAgents(options: AgentsOptions): Promise<Agents> {
  const { database, authority, log } = options;
  const stopping = new AbortController();
  const connections = makeConnections();
  const gateway = makeGateway({ connections, log });
  const reports = makeVmReports({ database, gateway, log, signal: stopping.signal });
  const watch = startHostWatch({
    database,
    connections,
    log,
    now: () => new Date(),
    silenceMs: 3 * heartbeatMs,
  });
  const consoles = makeConsoleStreams(gateway);
  const session: HostSessionDeps = {
    database,
    connections,
    reports,
    removeDeletedNetworks: (hostId, names) =>
      removeDeletedNetworks({ database, gateway, log, signal: stopping.signal }, hostId, names),
    watch,
    log,
  };
  const server = await makeServer(options);
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  const consoleSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: maxConsoleMessageBytes,
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    admit(database, request).then(
      (verdict) => {
        if ('refusal' in verdict) {
          log.warn({ refusal: verdict.refusal, status: verdict.status }, 'an agent is refused');
          refuse(socket, verdict.status, verdict.refusal);
        } else if (request.url === agentPath) {
          sockets.handleUpgrade(request, socket, head, (ws) => serveHost(session, verdict.host, ws));
        } else {
          const ticket = (request.url ?? '').slice(consolePath.length);
          consoleSockets.handleUpgrade(request, socket, head, (ws) => {
            if (!consoles.accept(verdict.host.id, ticket, ws)) ws.terminate();
          });
        }
      },
      (error: unknown) => {
        log.warn({ error: describeError(error) }, 'an agent cannot be admitted now');
        refuse(socket, 503, 'the server cannot check the certificate now, try again');
      },
    );
  });
  const port = await listen(server, options);
  // such as no file descriptor left for a new connection: it passes, and must not end the process
  server.on('error', (error) => log.error({ error: describeError(error) }, 'the agent port met an error'));
  const renewal = setInterval(() => renew(server, authority, log), certificateCheckMs);

  return {
    gateway,
    consoles,
    port,
    async close() {
      clearInterval(renewal);
      watch.stop();
      stopping.abort(new Detached('SERVER_STOPPING', 'this server stops'));
      connections.closeAll('the server stops');
      for (const client of [...sockets.clients, ...consoleSockets.clients]) client.terminate();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function makeServer(options: AgentsOptions): Promise<Server> {
  const { authority, log } = options;
  const { key, certificate } = await authority.serverCertificate();
  const server = createServer(
    {
      key,
      cert: certificate,
      ca: authority.certificate,
      minVersion: 'TLSv1.3',
      requestCert: true,
      // joining has no certificate yet; every other path demands one itself
      rejectUnauthorized: false,
      headersTimeout: 10_000,
      requestTimeout: 20_000,
    },
    (request, response) => {
      answerJoin(options, request, response).catch((error: unknown) => {
        log.warn({ error: describeError(error) }, 'a join request failed');
        response.destroy();
      });
    },
  );
  server.on('tlsClientError', (error) => log.debug({ error: error.message }, 'a TLS handshake failed'));
  return server;
}

function listen(server: Server, options: { host: string; port: number }): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once('error', reject);
  server.listen(options.port, options.host, () => {
    server.off('error', reject);
    const address = server.address();
    resolve(typeof address === 'object' && address ? address.port : options.port);
  });
  return promise;
}

function renew(server: Server, authority: CertificateAuthority, log: Logger): void {
  authority.serverCertificate().then(
    ({ key, certificate }) =>
      server.setSecureContext({ key, cert: certificate, ca: authority.certificate, minVersion: 'TLSv1.3' }),
    (error: unknown) => log.error({ error: describeError(error) }, 'the server certificate was not renewed'),
  );
}

type Admission = { readonly host: Row<'host'> } | { readonly refusal: string; readonly status: number };

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Who is at the other end: a host that our CA certified and that is still one of ours. */
async function admit(database: Database, request: IncomingMessage): Promise<Admission> {
  const { pathname } = new URL(request.url ?? '/', 'https://agent');
  if (pathname !== agentPath && !pathname.startsWith(consolePath))
    return { refusal: 'there is nothing here', status: 404 };
  // the listener's server makes TLS sockets only
  const socket = request.socket as TLSSocket;
  if (!socket.authorized)
    return { refusal: 'a client certificate of this server’s CA is required', status: 401 };
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  if (typeof name !== 'string' || !uuidPattern.test(name))
    return { refusal: 'the client certificate names no host', status: 401 };
  const host = await findHost(database, name);
  return host
    ? { host }
    : { refusal: 'this host is unknown or was removed: join it again with a new token', status: 403 };
}

function refuse(socket: Duplex, status: number, text: string): void {
  const body = JSON.stringify({ error: text });
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

async function answerJoin(
  deps: { readonly database: Database; readonly authority: CertificateAuthority; readonly log: Logger },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = (status: number, body: object) => {
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify(body));
  };
  if (request.method !== 'POST' || request.url !== joinPath) {
    answer(404, { error: 'there is nothing here' });
    return;
  }
  const parsed = joinRequest.safeParse(await readJson(request));
  if (!parsed.success) {
    answer(400, { error: 'the join request is malformed' });
    return;
  }
  try {
    const joined = await joinHost(deps, parsed.data, new Date());
    deps.log.info({ hostUuid: joined.hostUuid, name: parsed.data.hostName }, 'a host joined');
    answer(200, joined);
  } catch (error) {
    const expected = error instanceof MillraceError;
    deps.log.warn({ error: describeError(error), name: parsed.data.hostName }, 'a host did not join');
    answer(expected ? 403 : 503, {
      error: expected ? error.message : 'the server cannot admit hosts now, try again',
      ...(expected ? { code: error.code } : {}),
    });
  }
}

/** @returns undefined for a body that is too long or no JSON */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxJoinBytes) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}
