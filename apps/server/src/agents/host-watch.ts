import { describeError, type Logger } from '@millrace/core';
import { isPassing } from '../store/connection-loss.ts';
import type { Database } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { alertLostHosts, markDisconnected, silentHosts } from '../store/host-reports.ts';
import { readSetting } from '../store/settings.ts';
import { markInstancesUnknown } from '../store/vm-transitions.ts';
import type { Connections } from './connections.ts';

export interface HostWatch {
  /** The host's connection to this server ended: unless it is back soon it counts as disconnected. */
  lost(hostId: number): void;
  /** Looks at every host once. */
  check(): Promise<void>;
  stop(): void;
}

export interface HostWatchOptions {
  readonly database: Database;
  readonly connections: Connections;
  readonly log: Logger;
  readonly now: () => Date;
  /** Milliseconds a lost agent may take to come back unnoticed; longer than a heartbeat, which another server may get. */
  readonly graceMs?: number;
  readonly checkEveryMs?: number;
  /** Another server's host is silent for this long before it counts as gone: three heartbeats. */
  readonly silenceMs: number;
}

/** Watches which hosts are there: Up → Disconnected → (after `agent.reconnect.timeout`) Alert. */
export function startHostWatch(options: HostWatchOptions): HostWatch {
  const { database, connections, log } = options;
  const graceMs = options.graceMs ?? 8000;
  const timers = new Set<NodeJS.Timeout>();

  const disconnect = async (hostId: number, silentSince: Date) => {
    if (connections.get(hostId)) return;
    const gone = await database.transaction().execute(async (trx) => {
      const host = await markDisconnected(trx, { hostId, silentSince, now: options.now() });
      if (!host) return false;
      await recordEvent(trx, {
        type: 'HOST.DISCONNECT',
        level: 'WARN',
        description: `Host ${host.name} lost its connection`,
        resourceType: 'Host',
        resourceUuid: host.uuid,
      });
      return true;
    });
    if (gone) log.warn({ host: hostId }, 'the host’s agent is gone');
  };

  const giveUp = async () => {
    const boundMs = (await readSetting(database, 'agent.reconnect.timeout')) * 1000;
    const before = new Date(options.now().getTime() - boundMs);
    // together, or a server that dies in between leaves instances that nobody marks any more
    const lost = await database.transaction().execute(async (trx) => {
      const hosts = await alertLostHosts(trx, before);
      for (const host of hosts) {
        const unknown = await markInstancesUnknown(trx, host.id);
        await recordEvent(trx, {
          type: 'ALERT.COMPUTE.HOST',
          level: 'ERROR',
          description: `Host ${host.name} stays away; what ${unknown} instance(s) on it do is unknown`,
          resourceType: 'Host',
          resourceUuid: host.uuid,
        });
      }
      return hosts;
    });
    for (const host of lost)
      log.error({ host: host.id, name: host.name }, 'the host stays away; its instances are unknown');
  };

  const check = async () => {
    const silentSince = new Date(options.now().getTime() - options.silenceMs);
    for (const hostId of await silentHosts(database, silentSince)) await disconnect(hostId, silentSince);
    await giveUp();
  };

  const guarded = (work: () => Promise<void>) => () => {
    work().catch((error: unknown) => {
      if (!isPassing(error)) log.error({ error: describeError(error) }, 'hosts cannot be watched');
    });
  };
  const interval = setInterval(guarded(check), options.checkEveryMs ?? 5000);

  return {
    lost(hostId) {
      // a host that another server has heard of since then is not gone
      const lostAt = options.now();
      const timer = setTimeout(() => {
        timers.delete(timer);
        guarded(() => disconnect(hostId, lostAt))();
      }, graceMs);
      timers.add(timer);
    },
    check,
    stop() {
      clearInterval(interval);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
