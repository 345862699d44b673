import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import {
  type AgentMethods,
  agentMethods,
  type Handlers,
  joinPath,
  joinRequest,
  makePeer,
  type Peer,
  type ServerMethods,
  serverMethods,
  type TransferLimits,
} from '@millrace/agent-protocol';
import { silentLogger } from '@millrace/core';
import { WebSocketServer } from 'ws';
import type { TestAuthority } from './authority.ts';

/** A management server for tests, of which only the agent port is real: TLS 1.3, join by token, WebSocket by certificate. */
export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** Bodies of the join requests, as they arrived. */
  readonly joinBodies: string[];
  /** The next agent that says hello. */
  nextHello(): Promise<Connected>;
  /** Cuts every connection, as a broken network does. */
  cut(): void;
}

export interface Connected {
  readonly peer: Peer<AgentMethods>;
  readonly hello: unknown;
  readonly commonName: string;
}

export interface TestServerOptions {
  readonly authority: TestAuthority;
  readonly hostUuid: string;
  /** Name in the server's certificate. */
  readonly dnsName?: string;
  readonly port?: number;
  /** Answers a join request itself, instead of admitting the host. */
  readonly joinAnswer?: { readonly status: number; readonly body: unknown };
  /** Refuses every WebSocket with status 403 and this text. */
  readonly refusal?: string;
  readonly onReport?: (method: keyof ServerMethods, params: unknown) => void;
  readonly heartbeatMs?: number;
  /** In the answers to heartbeats. */
  readonly limits?: TransferLimits;
}

export async function startTestServer(options: TestServerOptions): Promise<TestServer> {
  const { authority, hostUuid, onReport = () => {}, heartbeatMs = 60_000 } = options;
  const identity = await authority.issueServer(options.dnsName ?? 'millrace-server');
  const joinBodies: string[] = [];
  const waiting: ((connected: Connected) => void)[] = [];
  const arrived: Connected[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({
    ...identity,
    ca: authority.certificate,
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.on('request', async (request, response) => {
    const body = await text(request);
    joinBodies.push(body);
    const admit = async () => {
      const { certificateRequest } = joinRequest.parse(JSON.parse(body));
      const certificate = await authority.issueHost(certificateRequest, hostUuid);
      return { status: 200, body: { hostUuid, certificate, caCertificate: authority.certificate } };
    };
    const answer =
      request.url === joinPath ? (options.joinAnswer ?? (await admit())) : { status: 404, body: {} };
    response
      .writeHead(answer.status, { 'content-type': 'application/json' })
      .end(JSON.stringify(answer.body));
  });

  const webSockets = new WebSocketServer({ noServer: true, path: '/agent', perMessageDeflate: false });
  server.on('upgrade', (request, socket, head) => {
    if (options.refusal === undefined)
      webSockets.handleUpgrade(request, socket, head, (webSocket) =>
        webSockets.emit('connection', webSocket, request),
      );
    else
      socket.end(
        `HTTP/1.1 403 Refused\r\nConnection: close\r\n\r\n${JSON.stringify({ error: options.refusal })}`,
      );
  });
  webSockets.on('connection', (socket, request) => {
    const tls = request.socket as TLSSocket;
    if (!tls.authorized) return socket.close(4401, 'no certificate of this server');
    const handlers: Handlers<ServerMethods> = {
      'host.hello': async (hello) => {
        const connected = { peer, hello, commonName: String(tls.getPeerCertificate().subject.CN) };
        const wake = waiting.shift();
        if (wake) wake(connected);
        else arrived.push(connected);
        return { hostUuid, heartbeatMs };
      },
      'host.heartbeat': async (params) => {
        onReport('host.heartbeat', params);
        return options.limits ? { limits: options.limits } : {};
      },
      'vm.changed': async (params) => {
        onReport('vm.changed', params);
        return {};
      },
    };
    const peer: Peer<AgentMethods> = makePeer({
      localMethods: serverMethods,
      remoteMethods: agentMethods,
      handlers,
      send: (message) => socket.send(message),
      log: silentLogger,
    });
    socket.on('message', (data) => peer.receive(data.toString()));
    socket.on('close', () => peer.close('the agent went away'));
    socket.on('error', () => {});
  });

  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    url: `https://127.0.0.1:${port}`,
    joinBodies,
    cut,
    nextHello() {
      const connected = arrived.shift();
      if (connected) return Promise.resolve(connected);
      const { promise, resolve } = Promise.withResolvers<Connected>();
      waiting.push(resolve);
      return promise;
    },
    async [Symbol.asyncDispose]() {
      cut();
      webSockets.close();
      server.close();
      await once(server, 'close');
    },
  };
}
