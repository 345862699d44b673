import type { Duplex } from 'node:stream';
import { consolePath } from '@millrace/agent-protocol';
import { orAborted } from '@millrace/core';
import { createWebSocketStream, WebSocket } from 'ws';
import { serverCertificateName } from '../config.ts';
import { fail } from '../failure.ts';
import type { Identity } from '../state/identity.ts';

const handshakeTimeoutMs = 10_000;
/** What people type, pasted text included. */
const maxMessageBytes = 1024 * 1024;

/**
 * Opens a connection of its own for the bytes of one console, so that a screen being painted keeps no heartbeat waiting.
 * @throws AgentFailure `SERVER_UNREACHABLE`
 */
export async function dialServer(options: {
  readonly serverUrl: string;
  readonly identity: Identity;
  readonly ticket: string;
  readonly signal: AbortSignal;
}): Promise<Duplex> {
  const { identity, signal } = options;
  const url = new URL(`${consolePath}${options.ticket}`, options.serverUrl);
  url.protocol = 'wss:';
  const socketOptions: WebSocket.ClientOptions & { servername: string } = {
    ca: identity.caCertificate,
    cert: identity.certificate,
    key: identity.privateKey,
    servername: serverCertificateName,
    minVersion: 'TLSv1.3',
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    handshakeTimeout: handshakeTimeoutMs,
    followRedirects: false,
  };
  const socket = new WebSocket(url, socketOptions);
  const opened = Promise.withResolvers<void>();
  socket.once('open', opened.resolve);
  socket.once('error', opened.reject);
  try {
    await orAborted(opened.promise, signal);
  } catch (error) {
    socket.on('error', () => {});
    socket.terminate();
    signal.throwIfAborted();
    return fail('SERVER_UNREACHABLE', 'the server does not take the console that it asked for', error);
  }
  return createWebSocketStream(socket);
}
