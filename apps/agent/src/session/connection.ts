import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  type AgentMethods,
  agentMethods,
  ConnectionLost,
  type Handlers,
  makePeer,
  type Peer,
  type ServerMethods,
  serverMethods,
} from '@millrace/agent-protocol';
import { type Logger, sleep } from '@millrace/core';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { serverCertificateName } from '../config.ts';
import type { Identity } from '../state/identity.ts';

export interface ConnectOptions {
  readonly serverUrl: string;
  readonly identity: Identity;
  readonly handlers: Handlers<AgentMethods>;
  readonly log: Logger;
  /** Between pings; an unanswered one for two of these ends the connection. */
  readonly pingMs?: number;
  /** Gives up opening. An open connection is closed by `close`. */
  readonly signal: AbortSignal;
}

export interface Connection {
  readonly peer: Peer<ServerMethods>;
  /** Resolves with the reason when the connection has ended. */
  readonly ended: Promise<string>;
  close(reason: string): void;
}

const handshakeTimeoutMs = 10_000;
/** Progress and console text are far below this; it bounds what a broken server can make the agent hold. */
const maxPayloadBytes = 16 * 1024 * 1024;

/**
 * Opens the channel to the server: WebSocket over TLS 1.3, both sides with certificates of the server's CA. The server is
 * known by the name in its certificate, not by its address, so it may move.
 * @throws Error why it could not be opened
 */
export async function openConnection(options: ConnectOptions): Promise<Connection> {
  const { serverUrl, identity, handlers, log, pingMs = 10_000, signal } = options;
  signal.throwIfAborted();
  const url = new URL('/agent', serverUrl);
  url.protocol = 'wss:';
  const socketOptions: WebSocket.ClientOptions & { servername: string } = {
    ca: identity.caCertificate,
    cert: identity.certificate,
    key: identity.privateKey,
    servername: serverCertificateName,
    minVersion: 'TLSv1.3',
    perMessageDeflate: false,
    maxPayload: maxPayloadBytes,
    handshakeTimeout: handshakeTimeoutMs,
    followRedirects: false,
  };
  const socket = new WebSocket(url, socketOptions);
  const opened = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  let problem: string | undefined;
  const peer = makePeer<AgentMethods, ServerMethods>({
    localMethods: agentMethods,
    remoteMethods: serverMethods,
    handlers,
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    log,
  });
  const abort = () => socket.terminate();
  signal.addEventListener('abort', abort, { once: true });

  socket.on('open', opened.resolve);
  socket.on('message', (data, isBinary) => {
    if (isBinary) socket.close(1003, 'text only');
    else peer.receive(data.toString());
  });
  socket.on('error', (error) => {
    problem ??= error.message;
  });
  // a refused upgrade says why in its body; taking the event means ending the request here
  socket.on('unexpected-response', (request, response) => {
    void refusalOf(response).then((why) => {
      problem ??= why;
      request.destroy();
      socket.terminate();
    });
  });
  socket.on('close', (code, reason) => {
    const why = problem ?? (reason.toString() || `closed with code ${code}`);
    peer.close(why);
    opened.reject(new ConnectionLost(why));
    ended.resolve(why);
  });
  try {
    await opened.promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
  const pings = new AbortController();
  void ended.promise.then(() => pings.abort());
  void keepAlive(socket, pingMs, pings.signal, (why) => {
    problem ??= why;
  });
  return {
    peer,
    ended: ended.promise,
    close(reason) {
      problem ??= reason;
      // first of all nothing may answer any more: see the order of stopping in main
      peer.close(reason);
      socket.close(1000, reason.slice(0, 100));
      // a server that does not answer the farewell is not waited for
      setTimeout(() => socket.terminate(), 1000).unref();
    },
  };
}

const refusalLimitBytes = 4096;

async function refusalOf(response: IncomingMessage): Promise<string> {
  const status = `the server refused the connection with HTTP status ${response.statusCode}`;
  let body = '';
  try {
    for await (const chunk of response) {
      body += String(chunk);
      if (body.length > refusalLimitBytes) break;
    }
    const said = z.object({ error: z.string() }).safeParse(JSON.parse(body));
    return said.success ? `${status}: ${said.data.error}` : status;
  } catch {
    // whatever stands in the body, the status is known
    return status;
  }
}

/** Ends a connection whose other side has vanished without a word, which TCP alone would notice after many minutes. */
async function keepAlive(
  socket: WebSocket,
  pingMs: number,
  signal: AbortSignal,
  give: (why: string) => void,
): Promise<void> {
  let missed = 0;
  const alive = () => {
    missed = 0;
  };
  socket.on('pong', alive);
  socket.on('message', alive);
  socket.on('ping', alive);
  while (!signal.aborted) {
    if (missed >= 2) {
      give(`no sign of life for ${(2 * pingMs) / 1000} s`);
      socket.terminate();
      return;
    }
    missed++;
    socket.ping();
    await sleep(pingMs, signal).catch(() => {});
  }
}

/** An id for a call that is never joined again. */
export function freshCallId(): string {
  return randomUUID();
}
