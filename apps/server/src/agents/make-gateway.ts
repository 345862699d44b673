import {
  type AgentMethods,
  ConnectionLost,
  type ParamsOf,
  type ProgressOf,
  RemoteError,
  type ResultOf,
} from '@millrace/agent-protocol';
import { type Logger, MillraceError, orAborted } from '@millrace/core';
import { AgentCallError, Detached } from '../domain/failure-policy.ts';
import type { Connections } from './connections.ts';
import type { AgentGateway } from './gateway.ts';

type Method = keyof AgentMethods;

/** An operation on a host, with everybody here who waits for it. */
interface Operation {
  readonly promise: Promise<unknown>;
  readonly controller: AbortController;
  readonly listeners: Set<(progress: unknown) => void>;
  waiters: number;
}

const defaultReconnectMs = 60_000;

interface OperationRequest<M extends Method> {
  readonly hostId: number;
  readonly method: M;
  readonly params: ParamsOf<AgentMethods, M>;
  readonly id: string;
  readonly reconnectMs: number;
}

/**
 * Calls operations on hosts. While an operation runs, a second call with its id joins it: that is how a job's next
 * worker in this process finds it, and how a lost connection is survived.
 *
 * An aborted call cancels the operation on the host when nobody else waits for it, except when the reason is a
 * `Detached`: then the next worker of the job will come for it.
 */
export function makeGateway(deps: { readonly connections: Connections; readonly log: Logger }): AgentGateway {
  const { connections } = deps;
  const operations = new Map<string, Operation>();

  const operationOf = <M extends Method>(request: OperationRequest<M>): Operation => {
    const key = `${request.hostId} ${request.id}`;
    const running = operations.get(key);
    if (running) return running;
    const controller = new AbortController();
    const listeners = new Set<(progress: unknown) => void>();
    const promise = runOperation(deps, request, {
      signal: controller.signal,
      onProgress: (value) => {
        for (const listener of listeners) listener(value);
      },
    }).finally(() => operations.delete(key));
    // it may go on with nobody waiting
    promise.catch(() => {});
    const operation: Operation = { promise, controller, listeners, waiters: 0 };
    operations.set(key, operation);
    return operation;
  };

  return {
    async call(hostId, method, params, options) {
      options.signal.throwIfAborted();
      const reconnectMs = options.reconnectWithinMs ?? defaultReconnectMs;
      const operation = operationOf({ hostId, method, params, id: options.operationId, reconnectMs });
      const listener = options.onProgress as ((progress: unknown) => void) | undefined;
      if (listener) operation.listeners.add(listener);
      operation.waiters++;
      try {
        // one operation id names one method with one kind of result: see the peer, which decoded it
        return (await orAborted(operation.promise, options.signal)) as ResultOf<AgentMethods, typeof method>;
      } catch (error) {
        if (!options.signal.aborted) throw callError(error);
        const { reason } = options.signal;
        if (operation.waiters === 1 && !(reason instanceof Detached)) operation.controller.abort(reason);
        throw reason;
      } finally {
        operation.waiters--;
        if (listener) operation.listeners.delete(listener);
      }
    },
    isConnected: (hostId) => connections.get(hostId) !== undefined,
    disconnect: (hostId, reason) => connections.get(hostId)?.close(reason),
    connectedHosts: () => connections.hosts(),
  };
}

/** Asks on whatever connection the host has, again on the next one when that breaks, always by the same id. */
async function runOperation<M extends Method>(
  deps: { readonly connections: Connections; readonly log: Logger },
  request: OperationRequest<M>,
  options: {
    readonly signal: AbortSignal;
    readonly onProgress: (value: ProgressOf<AgentMethods, M>) => void;
  },
): Promise<ResultOf<AgentMethods, M>> {
  const { hostId, method, params, id } = request;
  for (;;) {
    const connection = await deps.connections.wait(hostId, request.reconnectMs, options.signal);
    try {
      return await connection.peer.call(method, params, { ...options, id });
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      // the peer is closed: without this the same dead connection would be asked again until it is detached
      deps.connections.detach(connection);
      deps.log.info({ host: hostId, operation: id }, 'the connection broke; the operation is joined again');
    }
  }
}

function callError(error: unknown): unknown {
  if (error instanceof RemoteError)
    return new AgentCallError(error.code, error.message, error.data, { cause: error });
  if (error instanceof MillraceError && error.code === 'AGENT_UNAVAILABLE')
    return new AgentCallError('AGENT_UNAVAILABLE', error.message, { failureClass: 'next-host' });
  return error;
}
