import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describeError, type Logger } from '@millrace/core';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import type { ConsoleStreams } from '../agents/console-streams.ts';
import { consoleSocketPath } from '../commands/create-console-endpoint.ts';
import { type ConsolePermission, takeConsolePermission } from '../store/console-sessions.ts';
import type { Database } from '../store/database.ts';
import { findEnabledUserById } from '../store/users.ts';

export interface ConsoleSocketOptions {
  readonly database: Database;
  readonly consoles: ConsoleStreams;
  readonly log: Logger;
}

/** From a browser: keys, and text that is pasted. */
const maxMessageBytes = 1024 * 1024;
/** Of one server: each holds two sockets and some buffers. */
const mostConsoles = 500;
const pingMs = 20_000;
/** RFC 6455 §7.4.2 leaves 4000 to 4999 to applications. A reason has 123 bytes at most (§5.5). */
const closeCodes = { refused: 4403, ended: 4410, failed: 4502, full: 4503 } as const;

/**
 * Takes WebSockets at `/client/console?token=…` and joins each with the guest that its token stands for. No session is
 * asked for: the token works once, for a minute, and was given to whoever may see that instance. Pages of other sites
 * are refused all the same.
 * @returns what ends every console
 */
export function serveConsoles(server: Server, options: ConsoleSocketOptions): () => void {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    // noVNC of old asks for it
    handleProtocols: (offered) => (offered.has('binary') ? 'binary' : false),
  });
  const stopping = new AbortController();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const url = new URL(request.url ?? '/', 'http://server');
    if (url.pathname !== `/${consoleSocketPath}` || !isOwnPage(request)) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => client.terminate());
      if (sockets.clients.size > mostConsoles) {
        client.close(closeCodes.full, 'this server has no room for a further console: close one');
        return;
      }
      void join(options, client, url.searchParams.get('token') ?? '', stopping.signal);
    });
  });
  return () => {
    stopping.abort(new Error('the server stops'));
    for (const client of sockets.clients) client.terminate();
  };
}

/** A browser names the page's origin; programs name none. */
function isOwnPage({ headers }: IncomingMessage): boolean {
  const { origin } = headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === headers.host;
}

async function join(
  { database, consoles, log }: ConsoleSocketOptions,
  client: WebSocket,
  token: string,
  stopping: AbortSignal,
): Promise<void> {
  // nothing that is typed before the guest is there may be lost
  const browser = createWebSocketStream(client);
  browser.on('error', () => {});
  const gone = new AbortController();
  client.once('close', () => gone.abort(new Error('the client went away')));
  const end = keepAlive(client);
  try {
    const permission = await takeConsolePermission(database, token);
    const target = permission && (await targetOf(database, permission));
    if (!permission || !target) {
      client.close(closeCodes.refused, 'this link was used before or is too old: open the console again');
      return;
    }
    const guest = await consoles.open(
      target.hostId,
      { vm: target.vm, kind: permission.kind },
      AbortSignal.any([gone.signal, stopping]),
    );
    log.info({ vm: target.vm.uuid, kind: permission.kind, user: permission.userId }, 'a console was opened');
    try {
      await Promise.race([pipeline(browser, guest), pipeline(guest, browser, { end: false })]);
    } finally {
      guest.destroy();
    }
    client.close(closeCodes.ended, 'the guest or its host closed the console');
  } catch (error) {
    log.info({ error: describeError(error) }, 'a console ended');
    if (client.readyState === client.OPEN) client.close(closeCodes.failed, reasonOf(error));
  } finally {
    end();
  }
}

/** Where the guest is now, when whoever got the token may still act. */
async function targetOf(database: Database, permission: ConsolePermission) {
  if (!(await findEnabledUserById(database, permission.userId))) return undefined;
  const vm = await database
    .selectFrom('vm_instance')
    .select(['uuid', 'instance_name', 'host_id'])
    .where('id', '=', permission.instanceId)
    .where('account_id', '=', permission.accountId)
    .where('state', '=', 'Running')
    .where('removed', 'is', null)
    .executeTakeFirst();
  if (!vm || vm.host_id === null || vm.instance_name === null) return undefined;
  return { hostId: vm.host_id, vm: { uuid: vm.uuid, instanceName: vm.instance_name } };
}

function reasonOf(error: unknown): string {
  return Buffer.from(describeError(error))
    .subarray(0, 120)
    .toString('utf8')
    .replace(/\uFFFD$/, '');
}

/** Proxies end what is silent, and a browser that vanished says nothing. */
function keepAlive(client: WebSocket): () => void {
  let alive = true;
  client.on('pong', () => {
    alive = true;
  });
  const timer = setInterval(() => {
    if (!alive) return client.terminate();
    alive = false;
    client.ping();
  }, pingMs);
  return () => clearInterval(timer);
}
