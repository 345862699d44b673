import type { HandlerContext, Handlers, MethodTable } from '@millrace/agent-protocol';
import { type Logger, MillraceError } from '@millrace/core';
import { AgentFailure, classify, isClassified } from './failure.ts';

/**
 * What the agent is doing and lately did, by operation id. It lies above the connection: a request whose id is known
 * joins the operation where it stands, whichever connection it comes by.
 *
 * - one operation per id at any time; it runs to its end whatever happens to connections;
 * - a joined request gets the last progress at once, then all that follows, then the result;
 * - a result or failure is kept for 15 minutes (at most 1000 of them), so that an answer lost on the way is given again;
 * - reads are not kept: asked again they are done again;
 * - a cancellation by any of those who joined cancels the operation for all of them.
 */
export interface Operations {
  /** Runs or joins the operation `context.id`. Rejects with a classified failure. */
  join<P, R>(
    method: string,
    context: HandlerContext<P>,
    start: (context: HandlerContext<P>) => Promise<R>,
  ): Promise<R>;
  /** Aborts everything that runs and resolves when all of it has ended. New operations are refused from here on. */
  stop(): Promise<void>;
}

export interface OperationsOptions {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly log: Logger;
  /** Methods whose result is not kept. */
  readonly reads: ReadonlySet<string>;
  readonly keepMs?: number;
  readonly keepCount?: number;
}

interface Operation {
  readonly method: string;
  readonly controller: AbortController;
  readonly followers: Set<(value: unknown) => void>;
  readonly outcome: Promise<unknown>;
  lastProgress: { readonly value: unknown } | undefined;
  settledAt: number | undefined;
}

export function makeOperations(options: OperationsOptions): Operations {
  const { now, log, reads, keepMs = 15 * 60_000, keepCount = 1000 } = options;
  const operations = new Map<string, Operation>();
  let stopping = false;

  const forgetOld = () => {
    const settled = [...operations].filter(([, operation]) => operation.settledAt !== undefined);
    settled.sort(([, a], [, b]) => a.settledAt! - b.settledAt!);
    const surplus = settled.length - keepCount;
    const oldest = now() - keepMs;
    for (const [index, [id, operation]] of settled.entries()) {
      if (index < surplus || operation.settledAt! < oldest) operations.delete(id);
    }
  };

  const begin = (
    id: string,
    method: string,
    start: (context: HandlerContext<never>) => Promise<unknown>,
  ): Operation => {
    const controller = new AbortController();
    const begun = now();
    const operationLog = log.child({ operation: id, method });
    const run = async () => {
      try {
        const result = await start({
          id,
          signal: controller.signal,
          progress: (value: unknown) => {
            operation.lastProgress = { value };
            for (const follow of operation.followers) follow(value);
          },
        } as HandlerContext<never>);
        if (!reads.has(method)) operationLog.info({ ms: Math.round(now() - begun) }, 'operation done');
        return result;
      } catch (error) {
        // what an abort makes a handler reject with is often only a consequence; a classified failure tells more
        const consequence = controller.signal.aborted && !isClassified(error);
        const failure = classify(consequence ? controller.signal.reason : error);
        operationLog.warn(
          {
            ms: Math.round(now() - begun),
            code: 'code' in failure ? failure.code : undefined,
            reason: failure.message,
          },
          'operation failed',
        );
        throw failure;
      } finally {
        operation.settledAt = now();
        operation.followers.clear();
        if (reads.has(method)) operations.delete(id);
        forgetOld();
      }
    };
    const operation: Operation = {
      method,
      controller,
      followers: new Set(),
      // begins after `operation` is in place, so that even immediate progress finds it
      outcome: Promise.resolve().then(run),
      lastProgress: undefined,
      settledAt: undefined,
    };
    // a failure that nobody waits for any more (connection lost) is kept for who asks again: it is no unhandled one
    operation.outcome.catch(() => {});
    operations.set(id, operation);
    return operation;
  };

  return {
    async join<P, R>(
      method: string,
      context: HandlerContext<P>,
      start: (context: HandlerContext<P>) => Promise<R>,
    ): Promise<R> {
      if (stopping) throw new AgentFailure('AGENT_STOPPING', 'the agent of this host is stopping');
      forgetOld();
      const known = operations.get(context.id);
      if (known && known.method !== method) {
        throw new AgentFailure(
          'OPERATION_ID_REUSED',
          `operation ${context.id} is a ${known.method}, it cannot be asked for as ${method}`,
          { failureClass: 'stop' },
        );
      }
      const operation = known ?? begin(context.id, method, start as never);
      const follow = (value: unknown) => context.progress(value as P);
      if (operation.settledAt === undefined) operation.followers.add(follow);
      if (operation.lastProgress) follow(operation.lastProgress.value);
      const onCancel = () => operation.controller.abort(context.signal.reason);
      if (context.signal.aborted) onCancel();
      context.signal.addEventListener('abort', onCancel, { once: true });
      try {
        return (await operation.outcome) as R;
      } finally {
        context.signal.removeEventListener('abort', onCancel);
        operation.followers.delete(follow);
      }
    },

    async stop() {
      stopping = true;
      const running = [...operations.values()].filter((operation) => operation.settledAt === undefined);
      for (const operation of running)
        operation.controller.abort(new MillraceError('AGENT_STOPPING', 'the agent of this host is stopping'));
      await Promise.allSettled(running.map((operation) => operation.outcome));
    },
  };
}

/** Puts the registry between a peer and its handlers. */
export function throughOperations<T extends MethodTable>(
  handlers: Handlers<T>,
  operations: Operations,
): Handlers<T> {
  const wrapped = Object.entries(handlers).map(([method, handler]) => [
    method,
    (params: never, context: HandlerContext<never>) =>
      operations.join(method, context, (inner) => handler(params, inner)),
  ]);
  return Object.fromEntries(wrapped) as Handlers<T>;
}
