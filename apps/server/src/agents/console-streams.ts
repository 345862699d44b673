import { randomBytes, randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { ConsoleKind, VmReference } from '@millrace/agent-protocol';
import { MillraceError, orAborted } from '@millrace/core';
import { createWebSocketStream, type WebSocket } from 'ws';
import type { AgentGateway } from './gateway.ts';

export interface ConsoleRequest {
  readonly vm: VmReference;
  readonly kind: ConsoleKind;
}

/** Streams of guests' consoles. Each is asked for over a host's connection and comes by a connection of its own. */
export interface ConsoleStreams {
  /**
   * @throws AgentCallError when the host refuses or is away; `CONSOLE_LATE` when it does not connect in time
   */
  open(hostId: number, request: ConsoleRequest, signal: AbortSignal): Promise<Duplex>;
  /** Takes the connection that a host made for a ticket; false when it was not given that one. */
  accept(hostId: number, ticket: string, socket: WebSocket): boolean;
}

const openWithinMs = 10_000;
const reconnectWithinMs = 1000;

export function makeConsoleStreams(gateway: Pick<AgentGateway, 'call'>): ConsoleStreams {
  const expected = new Map<string, { readonly hostId: number; readonly arrived: (stream: Duplex) => void }>();
  return {
    async open(hostId, request, signal) {
      const ticket = randomBytes(32).toString('hex');
      const { promise, resolve } = Promise.withResolvers<Duplex>();
      expected.set(ticket, { hostId, arrived: resolve });
      const patience = AbortSignal.timeout(openWithinMs);
      const limit = AbortSignal.any([signal, patience]);
      try {
        await gateway.call(
          hostId,
          'console.open',
          { ...request, ticket },
          {
            operationId: `console-${randomUUID()}`,
            signal: limit,
            reconnectWithinMs,
          },
        );
        return await orAborted(promise, limit);
      } catch (error) {
        // it may have come while the call failed
        void promise.then((stream) => stream.destroy());
        if (patience.aborted && !signal.aborted)
          throw new MillraceError('CONSOLE_LATE', 'the host did not open the console in time', {
            cause: error,
          });
        throw error;
      } finally {
        expected.delete(ticket);
      }
    },
    accept(hostId, ticket, socket) {
      const waiting = expected.get(ticket);
      if (waiting?.hostId !== hostId) return false;
      expected.delete(ticket);
      waiting.arrived(createWebSocketStream(socket));
      return true;
    },
  };
}
