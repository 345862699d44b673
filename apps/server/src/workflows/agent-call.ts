import type { AgentMethods, ParamsOf, ProgressOf, ResultOf } from '@millrace/agent-protocol';
import type { AgentGateway } from '../agents/gateway.ts';
import { AgentCallError } from '../domain/failure-policy.ts';

type Method = keyof AgentMethods;

/**
 * Milliseconds after which a host that is connected, but does not answer, counts as sick. A transfer takes as long as it
 * takes: it is limited by its silence instead.
 */
const limitsMs: Readonly<Record<Method, number | undefined>> = {
  'template.prepare': undefined,
  'checksum.find': 60_000,
  'image.probe': 60_000,
  'template.check': 60_000,
  'template.remove': 120_000,
  'template.digest': 3_600_000,
  'image.serve': 90_000,
  'pool.clean': 120_000,
  'volume.create': 300_000,
  'volume.attach': 60_000,
  'volume.detach': 60_000,
  'volume.resize': 120_000,
  'volume.remove': 120_000,
  'network.remove': 60_000,
  'vm.start': 300_000,
  'vm.stop': 120_000,
  'vm.reboot': 120_000,
  'vm.remove': 120_000,
  'vm.state': 30_000,
  'vm.cdrom': 60_000,
  'vm.migrate.expect': 60_000,
  'vm.migrate.send': 31 * 60_000,
  'vm.migrate.end': 30_000,
  'vm.console': 30_000,
  'console.open': 15_000,
  'pool.attach': 90_000,
  'pool.detach': 90_000,
  'pool.lease.watch': 30_000,
  'pool.stats': 30_000,
};

/**
 * A transfer that shows nothing new for this long hangs, whatever its host says. Stalls of sources are noticed much
 * earlier, where the bytes arrive; the longest step that shows nothing is a large image's way from memory to a slow disk.
 */
const longestSilenceMs = 30 * 60_000;

export interface HostCall<M extends Method> {
  readonly hostId: number;
  readonly method: M;
  readonly params: ParamsOf<AgentMethods, M>;
  readonly operationId: string;
  readonly signal: AbortSignal;
  /** How long the host may be away. */
  readonly reconnectMs: number;
  /** Added to the method's limit, for operations that are told to wait. */
  readonly extraMs?: number;
  readonly onProgress?: (progress: ProgressOf<AgentMethods, M>) => void;
  /** Instead of the usual limit, for methods that show progress. */
  readonly silenceMs?: number;
}

/**
 * Asks a host to do something, within a limit.
 * @throws AgentCallError; the signal's reason when it aborts
 */
export async function callHost<M extends Method>(
  agents: AgentGateway,
  call: HostCall<M>,
): Promise<ResultOf<AgentMethods, M>> {
  const limitMs = limitsMs[call.method];
  const limit =
    limitMs === undefined
      ? silenceLimit(call.silenceMs ?? longestSilenceMs)
      : timeLimit(limitMs + (call.extraMs ?? 0) + call.reconnectMs);
  const onProgress = (progress: ProgressOf<AgentMethods, M>) => {
    limit.heard(progress);
    call.onProgress?.(progress);
  };
  try {
    return await agents.call(call.hostId, call.method, call.params, {
      operationId: call.operationId,
      signal: AbortSignal.any([call.signal, limit.signal]),
      reconnectWithinMs: call.reconnectMs,
      onProgress,
    });
  } catch (error) {
    if (!limit.signal.aborted || call.signal.aborted) throw error;
    const what =
      limitMs === undefined
        ? `the host showed no progress of ${call.method} for too long`
        : `the host did not answer ${call.method} within ${Math.round(limitMs / 1000)} s`;
    throw new AgentCallError('AGENT_TIMEOUT', what, { failureClass: 'next-host' }, { cause: error });
  } finally {
    limit.end();
  }
}

interface Limit {
  readonly signal: AbortSignal;
  heard(progress: unknown): void;
  end(): void;
}

function timeLimit(milliseconds: number): Limit {
  return { signal: AbortSignal.timeout(milliseconds), heard() {}, end() {} };
}

/** Aborts when nothing new has been heard for this long. */
function silenceLimit(milliseconds: number): Limit {
  const controller = new AbortController();
  const arm = () =>
    setTimeout(() => controller.abort(new DOMException('no progress', 'TimeoutError')), milliseconds);
  let timer = arm();
  let last = '';
  return {
    signal: controller.signal,
    heard(progress) {
      const mark = markOf(progress);
      if (mark === last) return;
      last = mark;
      clearTimeout(timer);
      timer = arm();
    },
    end: () => clearTimeout(timer),
  };
}

/** What changes only when something happens: rates and times change for ever. */
function markOf(progress: unknown): string {
  const { phase, bytes, attempts } = progress as {
    phase?: unknown;
    bytes?: unknown;
    attempts?: readonly unknown[];
  };
  return `${String(phase)} ${String(bytes)} ${attempts?.length ?? 0}`;
}
