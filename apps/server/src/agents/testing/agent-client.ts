import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { request } from 'node:https';
import {
  type AgentMethods,
  agentMethods,
  type Handlers,
  joinAnswer,
  joinPath,
  makePeer,
  type ParamsOf,
  type Peer,
  type ServerMethods,
  serverMethods,
} from '@millrace/agent-protocol';
import { silentLogger } from '@millrace/core';
import * as x509 from '@peculiar/x509';
import WebSocket from 'ws';

/** What a test's agent owns after joining. */
export interface Identity {
  readonly hostUuid: string;
  readonly certificate: string;
  readonly key: string;
  readonly ca: string;
}

export async function makeCertificateRequest(): Promise<{ readonly pem: string; readonly key: string }> {
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ]);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=whatever the agent likes',
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    pem: csr.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`,
  };
}

/** Posts a join request. @returns status and body, whatever they are */
export function postJoin(port: number, body: object): Promise<{ status: number; body: unknown }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: unknown }>();
  const post = request(
    {
      host: '127.0.0.1',
      port,
      path: joinPath,
      method: 'POST',
      // the test reads the CA from the answer; a real agent checks the token's fingerprint
      rejectUnauthorized: false,
      headers: { 'content-type': 'application/json' },
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          body: JSON.parse(Buffer.concat(chunks).toString() || 'null'),
        }),
      );
    },
  );
  post.on('error', reject);
  post.end(JSON.stringify(body));
  return promise;
}

export async function join(port: number, token: string, hostName: string): Promise<Identity> {
  const { pem, key } = await makeCertificateRequest();
  const answer = await postJoin(port, { token, certificateRequest: pem, hostName });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer));
  const joined = joinAnswer.parse(answer.body);
  return { hostUuid: joined.hostUuid, certificate: joined.certificate, ca: joined.caCertificate, key };
}

export interface ConnectedAgent {
  readonly peer: Peer<ServerMethods>;
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;
}

/** Connects as the agent does: the server's name is checked, not its address. */
export async function connectAgent(
  port: number,
  identity: Partial<Identity>,
  handlers: Partial<Handlers<AgentMethods>> = {},
): Promise<ConnectedAgent> {
  // ws hands these to tls.connect, whose servername its types leave out
  const options: WebSocket.ClientOptions & { servername: string } = {
    rejectUnauthorized: identity.ca !== undefined,
    ...(identity.ca === undefined ? {} : { ca: identity.ca }),
    ...(identity.certificate === undefined || identity.key === undefined
      ? {}
      : { cert: identity.certificate, key: identity.key }),
    servername: 'millrace-server',
    perMessageDeflate: false,
  };
  const socket = new WebSocket(`wss://127.0.0.1:${port}/agent`, options);
  const peer = makePeer<AgentMethods, typeof serverMethods>({
    localMethods: agentMethods,
    remoteMethods: serverMethods,
    handlers: handlers as Handlers<AgentMethods>,
    send: (text) => socket.send(text, () => {}),
    log: silentLogger,
  });
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const opened = Promise.withResolvers<void>();
  socket.on('open', () => opened.resolve());
  socket.on('error', opened.reject);
  socket.on('unexpected-response', (_request, response) => {
    opened.reject(new Error(`refused with ${response.statusCode}`));
    socket.terminate();
  });
  socket.on('message', (data) => peer.receive(String(data)));
  socket.on('close', (code, reason) => {
    peer.close('closed');
    closed.resolve({ code, reason: String(reason) });
  });
  await opened.promise;
  return { peer, socket, closed: closed.promise };
}

export function hello(
  changes: Partial<ParamsOf<ServerMethods, 'host.hello'>> = {},
): ParamsOf<ServerMethods, 'host.hello'> {
  return {
    protocolVersion: 1,
    agentVersion: '0.1.0',
    hostName: 'host-a',
    arch: 'x86_64',
    cpus: 8,
    cpuMhz: 2400,
    memoryBytes: 16 * 1024 ** 3,
    hypervisorVersion: 'QEMU 7.2',
    virtType: 'qemu',
    addresses: ['192.0.2.10'],
    localPool: { path: '/var/pool', capacityBytes: 1000 * 1024 ** 2, availableBytes: 900 * 1024 ** 2 },
    vms: [],
    ...changes,
  };
}
