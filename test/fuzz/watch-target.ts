import { Worker } from 'node:worker_threads';
import { sharedState } from './shared-state.ts';
import type { WorkerReport, WorkerTask } from './worker.ts';

export interface Finding {
  readonly kind: 'failure' | 'hang' | 'memory';
  readonly bytes: Buffer;
  readonly detail: string;
}

export interface WatchOptions {
  readonly target: string;
  readonly seed: number;
  readonly untilMs: number;
  /** An input that takes longer counts as a hang. Default 2000: the slowest honest ones take milliseconds. */
  readonly hangMs?: number;
  /** Default 512. */
  readonly heapMegabytes?: number;
  readonly onProgress: (executions: number) => void;
  readonly onNewAnswer: (bytes: Buffer, answer: string) => void;
}

const startMs = 20_000;
/** Buffers are outside of the heap. */
const largestResidentBytes = 1.5 * 1024 ** 3;
const lookEveryMs = 250;

/**
 * Runs a target in a thread of its own until the time is over or something is found that ends the thread.
 * @returns every finding, failures once each by where they were thrown, and how many inputs there were
 */
export async function watchTarget(
  options: WatchOptions,
): Promise<{ readonly findings: readonly Finding[]; readonly executions: number }> {
  const { hangMs = 2000, heapMegabytes = 512 } = options;
  const shared = sharedState();
  const findings: Finding[] = [];
  const workerData: WorkerTask = { target: options.target, seed: options.seed, memory: shared.memory };
  const worker = new Worker(new URL('worker.ts', import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  const ended = Promise.withResolvers<void>();
  worker.on('message', (message: WorkerReport) => {
    const bytes = Buffer.from(message.bytes);
    if (message.kind === 'new-answer') return options.onNewAnswer(bytes, message.answer);
    findings.push({ kind: 'failure', bytes, detail: message.stack });
  });
  worker.on('error', (error) => {
    findings.push({ kind: 'memory', bytes: shared.input(), detail: String(error) });
    ended.resolve();
  });
  const end = (kind: 'hang' | 'memory', detail: string) => {
    findings.push({ kind, bytes: shared.input(), detail });
    ended.resolve();
  };
  let last = { executions: 0, at: Date.now() };
  const timer = setInterval(() => {
    const executions = shared.executions();
    const now = Date.now();
    options.onProgress(executions);
    if (executions !== last.executions) last = { executions, at: now };
    else if (now - last.at > (executions === 0 ? startMs : hangMs)) end('hang', `over ${hangMs} ms`);
    const resident = process.memoryUsage.rss();
    if (resident > largestResidentBytes) end('memory', `${resident} bytes resident`);
    if (now >= options.untilMs) ended.resolve();
  }, lookEveryMs);
  await ended.promise;
  clearInterval(timer);
  await worker.terminate();
  return { findings, executions: shared.executions() };
}
