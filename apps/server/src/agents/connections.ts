import type { AgentMethods, Peer } from '@millrace/agent-protocol';
import { MillraceError, orAborted } from '@millrace/core';
import { Detached } from '../domain/failure-policy.ts';

/** One connection of one host, ready for calls. */
export interface HostConnection {
  readonly hostId: number;
  readonly peer: Peer<AgentMethods>;
  readonly close: (reason: string) => void;
}

/** Which hosts are connected to this server now. A host has at most one connection: the newest. */
export interface Connections {
  attach(connection: HostConnection): void;
  /** Forgets the connection, unless a newer one took its place. */
  detach(connection: HostConnection): void;
  get(hostId: number): HostConnection | undefined;
  hosts(): number[];
  /**
   * Resolves with a connection of the host.
   * @throws MillraceError `AGENT_UNAVAILABLE` after `withinMs`; Detached when this server stops
   */
  wait(hostId: number, withinMs: number, signal: AbortSignal): Promise<HostConnection>;
  closeAll(reason: string): void;
}

export function makeConnections(): Connections {
  const current = new Map<number, HostConnection>();
  const waiting = new Map<number, Set<(connection: HostConnection) => void>>();
  const closed = new AbortController();

  return {
    attach(connection) {
      const older = current.get(connection.hostId);
      current.set(connection.hostId, connection);
      if (older && older !== connection) older.close('replaced by a newer connection of the same host');
      const waiters = waiting.get(connection.hostId);
      waiting.delete(connection.hostId);
      for (const wake of waiters ?? []) wake(connection);
    },
    detach(connection) {
      if (current.get(connection.hostId) === connection) current.delete(connection.hostId);
    },
    get: (hostId) => current.get(hostId),
    hosts: () => [...current.keys()],
    async wait(hostId, withinMs, signal) {
      const connected = current.get(hostId);
      if (connected) return connected;
      const { promise, resolve, reject } = Promise.withResolvers<HostConnection>();
      const waiters = waiting.get(hostId) ?? new Set();
      waiting.set(hostId, waiters);
      waiters.add(resolve);
      const timer = setTimeout(
        () =>
          reject(
            new MillraceError(
              'AGENT_UNAVAILABLE',
              `the host's agent is not connected and did not come back within ${Math.round(withinMs / 1000)} s`,
            ),
          ),
        withinMs,
      );
      try {
        return await orAborted(promise, AbortSignal.any([signal, closed.signal]));
      } finally {
        clearTimeout(timer);
        waiters.delete(resolve);
      }
    },
    closeAll(reason) {
      closed.abort(new Detached('SERVER_STOPPING', reason));
      for (const connection of [...current.values()]) connection.close(reason);
    },
  };
}
