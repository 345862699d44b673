import { type Logger, MillraceError } from '@millrace/core';
import { z } from 'zod';
import {
  type FailureData,
  failureData,
  type MethodTable,
  type ParamsOf,
  type ProgressOf,
  type ResultOf,
} from './messages.ts';

/**
 * A JSON-RPC 2.0 peer over anything that carries whole text messages. Both sides call and answer. Two notifications
 * extend it: `$/progress {id, value}` and `$/cancel {id}`.
 *
 * A request's id is chosen by the caller and names the operation: the layer above may send it again on a new
 * connection to join the operation where it stands.
 */
export interface Peer<Remote extends MethodTable> {
  /** Handles one message from the other side. Never throws: what is malformed is answered or logged. */
  receive(text: string): void;
  /** @throws RemoteError when the other side answered with an error; ConnectionLost when the peer closed first. */
  call<M extends keyof Remote & string>(
    method: M,
    params: ParamsOf<Remote, M>,
    options: {
      readonly id: string;
      readonly signal: AbortSignal;
      readonly onProgress?: (value: ProgressOf<Remote, M>) => void;
    },
  ): Promise<ResultOf<Remote, M>>;
  /** Fails every pending call with ConnectionLost. Handlers go on; nothing that arrives from here on begins one. */
  close(reason: string): void;
}

export interface HandlerContext<Progress> {
  readonly id: string;
  /** Aborts when the caller cancels. A lost connection does not abort. */
  readonly signal: AbortSignal;
  readonly progress: (value: Progress) => void;
}

export type Handlers<Local extends MethodTable> = {
  readonly [M in keyof Local]: (
    params: ParamsOf<Local, M>,
    context: HandlerContext<ProgressOf<Local, M>>,
  ) => Promise<ResultOf<Local, M>>;
};

export interface PeerOptions<Local extends MethodTable, Remote extends MethodTable> {
  readonly localMethods: Local;
  readonly remoteMethods: Remote;
  readonly handlers: Handlers<Local>;
  readonly send: (text: string) => void;
  readonly log: Logger;
}

/** The other side answered a call with an error. `data` says what the retry policy needs, when it was sent. */
export class RemoteError extends MillraceError {
  readonly data: FailureData | undefined;

  constructor(message: string, data: FailureData | undefined) {
    super(data?.code ?? 'REMOTE_ERROR', message);
    this.name = 'RemoteError';
    this.data = data;
  }
}

/** The connection ended before the answer came: whether the operation ran is unknown, so it must be asked again. */
export class ConnectionLost extends MillraceError {
  constructor(reason: string) {
    super('CONNECTION_LOST', `connection lost: ${reason}`);
    this.name = 'ConnectionLost';
  }
}

const id = z.string().min(1).max(200);
const message = z.union([
  z.object({
    jsonrpc: z.literal('2.0'),
    method: z.literal('$/progress'),
    params: z.object({ id, value: z.unknown() }),
  }),
  z.object({ jsonrpc: z.literal('2.0'), method: z.literal('$/cancel'), params: z.object({ id }) }),
  z.object({ jsonrpc: z.literal('2.0'), id, method: z.string().max(100), params: z.unknown() }),
  z.object({
    jsonrpc: z.literal('2.0'),
    id,
    error: z.object({ code: z.number(), message: z.string(), data: z.unknown().optional() }),
  }),
  z.object({ jsonrpc: z.literal('2.0'), id, result: z.unknown() }),
]);

interface PendingCall {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onProgress: ((value: unknown) => void) | undefined;
  readonly result: z.ZodType;
  readonly progress: z.ZodType;
}

/** Error codes of JSON-RPC 2.0 §5.1; -32000 is an operation that failed. */
const rpcCodes = { parse: -32700, methodNotFound: -32601, invalidParams: -32602, failed: -32000 } as const;

export function makePeer<Local extends MethodTable, Remote extends MethodTable>(
  options: PeerOptions<Local, Remote>,
): Peer<Remote> {
  const pending = new Map<string, PendingCall>();
  const running = new Map<string, AbortController>();
  let closed: string | undefined;

  const send = (value: object) => {
    if (closed === undefined) options.send(JSON.stringify({ jsonrpc: '2.0', ...value }));
  };

  const answer = async (requestId: string, method: string, params: unknown) => {
    const definition = Object.hasOwn(options.localMethods, method) ? options.localMethods[method] : undefined;
    const handler = Object.hasOwn(options.handlers, method) ? options.handlers[method] : undefined;
    if (!definition || !handler) {
      send({ id: requestId, error: { code: rpcCodes.methodNotFound, message: `unknown method ${method}` } });
      return;
    }
    const decoded = definition.params.safeParse(params);
    if (!decoded.success) {
      send({
        id: requestId,
        error: { code: rpcCodes.invalidParams, message: `${method}: ${z.prettifyError(decoded.error)}` },
      });
      return;
    }
    const controller = new AbortController();
    running.set(requestId, controller);
    try {
      const result = await handler(decoded.data as never, {
        id: requestId,
        signal: controller.signal,
        progress: (value) => send({ method: '$/progress', params: { id: requestId, value } }),
      });
      send({ id: requestId, result });
    } catch (error) {
      send({ id: requestId, error: describeFailure(error) });
    } finally {
      if (running.get(requestId) === controller) running.delete(requestId);
    }
  };

  const settle = (requestId: string, apply: (call: PendingCall) => void) => {
    const call = pending.get(requestId);
    if (!call) return;
    pending.delete(requestId);
    apply(call);
  };

  const dispatch = (text: string) => {
    const decoded = message.safeParse(parseJson(text));
    if (!decoded.success) {
      options.log.warn({ problem: z.prettifyError(decoded.error) }, 'malformed message dropped');
      return;
    }
    const received = decoded.data;
    if ('method' in received) {
      if ('id' in received) void answer(received.id, received.method, received.params);
      else if (received.method === '$/cancel')
        running.get(received.params.id)?.abort(new MillraceError('CANCELLED', 'cancelled by the caller'));
      else {
        const call = pending.get(received.params.id);
        const value = call?.progress.safeParse(received.params.value);
        if (call && value?.success) call.onProgress?.(value.data);
      }
    } else if ('error' in received) {
      const data = failureData.safeParse(received.error.data);
      settle(received.id, (call) =>
        call.reject(new RemoteError(received.error.message, data.success ? data.data : undefined)),
      );
    } else {
      settle(received.id, (call) => {
        const result = call.result.safeParse(received.result);
        if (result.success) call.resolve(result.data);
        else call.reject(new RemoteError(`malformed answer: ${z.prettifyError(result.error)}`, undefined));
      });
    }
  };

  return {
    receive(text) {
      if (closed !== undefined) return;
      try {
        dispatch(text);
      } catch (error) {
        options.log.warn({ error: String(error) }, 'malformed message dropped');
      }
    },

    async call(method, params, { id: requestId, signal, onProgress }) {
      signal.throwIfAborted();
      if (closed !== undefined) throw new ConnectionLost(closed);
      if (pending.has(requestId))
        throw new Error(`a call with id ${requestId} is pending on this connection`);
      const definition = options.remoteMethods[method]!;
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      pending.set(requestId, {
        resolve,
        reject,
        onProgress: onProgress as ((value: unknown) => void) | undefined,
        result: definition.result,
        progress: definition.progress,
      });
      const onAbort = () => {
        settle(requestId, () => {});
        send({ method: '$/cancel', params: { id: requestId } });
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        send({ id: requestId, method, params });
        return (await promise) as ResultOf<Remote, typeof method>;
      } finally {
        signal.removeEventListener('abort', onAbort);
        pending.delete(requestId);
      }
    },

    close(reason) {
      if (closed !== undefined) return;
      closed = reason;
      for (const call of pending.values()) call.reject(new ConnectionLost(reason));
      pending.clear();
      // Handlers are not aborted: an operation outlives its connection and is joined again by its id.
      running.clear();
    },
  };
}

/** `undefined` for what is no JSON: the parser's own error repeats a part of the text, which may hold a secret. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function describeFailure(error: unknown): { code: number; message: string; data?: FailureData } {
  const text = error instanceof Error ? error.message : String(error);
  const data = failureData.safeParse(error);
  return { code: rpcCodes.failed, message: text, ...(data.success ? { data: data.data } : {}) };
}
