import {
  agentMethods,
  type Handlers,
  makePeer,
  protocolVersion,
  type ServerMethods,
  serverMethods,
} from '@millrace/agent-protocol';
import { type Logger, MillraceError } from '@millrace/core';
import type { RawData, WebSocket } from 'ws';
import { transferLimitsFrom } from '../domain/fetch-policy.ts';
import type { Database } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { recordConnected, recordHeartbeat, recordHello } from '../store/host-reports.ts';
import type { Row } from '../store/schema.ts';
import { readSettings } from '../store/settings.ts';
import type { Connections, HostConnection } from './connections.ts';
import type { HostWatch } from './host-watch.ts';
import type { VmReports } from './vm-reports.ts';

export interface HostSessionDeps {
  readonly database: Database;
  readonly connections: Connections;
  readonly reports: VmReports;
  /** Has the host forget those of its networks that were deleted. Never throws. */
  readonly removeDeletedNetworks: (hostId: number, names: readonly string[]) => Promise<void>;
  readonly watch: HostWatch;
  readonly log: Logger;
}

/** How often agents report; three silences make a host disconnected. */
export const heartbeatMs = 5000;
const pingMs = 10_000;

/** What a session tells its handlers, and they it. */
interface SessionState {
  introduced: boolean;
  ended: boolean;
}

/**
 * Serves one connection of one host until it closes. The host takes calls once it has said hello in a protocol this
 * server speaks.
 */
export function serveHost(deps: HostSessionDeps, host: Row<'host'>, socket: WebSocket): void {
  const { connections, watch } = deps;
  const log = deps.log.child({ host: host.id, hostName: host.name });
  const state: SessionState = { introduced: false, ended: false };
  const peer = makePeer<ServerMethods, typeof agentMethods>({
    localMethods: serverMethods,
    remoteMethods: agentMethods,
    handlers: handlersOf({ ...deps, log }, host, state, {
      attach: () => connections.attach(connection),
      // the answer must be sent before the connection ends
      closeSoon: (reason) => setTimeout(() => close(reason), 1000).unref(),
    }),
    send: (text) => socket.send(text, () => {}),
    log,
  });
  const close = (reason: string) => {
    if (state.ended) return;
    state.ended = true;
    stopPinging();
    peer.close(reason);
    connections.detach(connection);
    socket.close(1000, reason.slice(0, 120));
    // a peer that does not answer a close would hold the socket for ever
    setTimeout(() => socket.terminate(), 2000).unref();
    log.info({ reason }, 'the host’s connection ended');
    if (!connections.get(host.id)) watch.lost(host.id);
  };
  const connection: HostConnection = { hostId: host.id, peer, close };
  const stopPinging = keepAlive(socket, () => {
    close('the agent does not answer pings');
    socket.terminate();
  });
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (!isBinary) peer.receive(String(data));
  });
  socket.on('close', (code) => close(`closed by the agent (${code})`));
  socket.on('error', (error) => {
    log.debug({ error: error.message }, 'the host’s socket failed');
    socket.terminate();
  });
}

function handlersOf(
  deps: HostSessionDeps,
  host: Row<'host'>,
  state: SessionState,
  session: { readonly attach: () => void; readonly closeSoon: (reason: string) => void },
): Handlers<ServerMethods> {
  const { database, reports, log } = deps;
  const requireHello = () => {
    if (!state.introduced) throw new MillraceError('HELLO_MISSING', 'say host.hello first');
  };
  return {
    'host.hello': async (hello) => {
      if (hello.protocolVersion !== protocolVersion) {
        session.closeSoon('the agent speaks another protocol');
        throw new MillraceError(
          'PROTOCOL_MISMATCH',
          `this server speaks version ${protocolVersion} of the agent protocol, the agent ${hello.protocolVersion}: bring both to the same release`,
        );
      }
      await database.transaction().execute(async (trx) => {
        await recordHello(trx, host, hello, new Date());
        if (host.status !== 'Up')
          await recordEvent(trx, {
            type: 'HOST.CONNECT',
            description: `Host ${hello.hostName} is connected`,
            resourceType: 'Host',
            resourceUuid: host.uuid,
          });
      });
      if (state.ended) throw new MillraceError('CONNECTION_LOST', 'the connection ended meanwhile');
      state.introduced = true;
      session.attach();
      log.info({ agent: hello.agentVersion, vms: hello.vms.length, virt: hello.virtType }, 'the host is up');
      await reports.reconcile(host.id, hello.vms);
      await recordConnected(database, host.id);
      // after the instances: a stray one may have a card in it. Nobody waits for it
      void deps.removeDeletedNetworks(host.id, hello.networks ?? []);
      return { hostUuid: host.uuid, heartbeatMs };
    },
    'host.heartbeat': async (beat) => {
      requireHello();
      if (!(await recordHeartbeat(database, host.id, beat, new Date()))) {
        session.closeSoon('the host was deleted');
        throw new MillraceError('HOST_DELETED', 'this host was deleted from the cloud');
      }
      return { limits: transferLimitsFrom(await readSettings(database, { zoneId: host.data_center_id })) };
    },
    'vm.changed': async (report) => {
      requireHello();
      log.info({ vm: report.uuid, state: report.state }, 'the host reports an instance');
      await reports.changed(host.id, report);
      return {};
    },
  };
}

/** Pings, and tells when nothing came back between two pings. @returns what ends it */
function keepAlive(socket: WebSocket, onSilence: () => void): () => void {
  let alive = true;
  const heard = () => {
    alive = true;
  };
  socket.on('pong', heard);
  socket.on('message', heard);
  const timer = setInterval(() => {
    if (!alive) {
      onSilence();
      return;
    }
    alive = false;
    socket.ping();
  }, pingMs);
  return () => clearInterval(timer);
}
