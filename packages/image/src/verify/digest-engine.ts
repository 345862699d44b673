import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { type DigestAlgorithm, digestAlgorithms } from '@millrace/core';
import type { Slab } from '../memory/slab-pool.ts';

export type DigestTask = { readonly id: number } & (
  | { readonly do: 'begin'; readonly lane: number; readonly algorithm: string }
  | { readonly do: 'update'; readonly lane: number; readonly offset: number; readonly length: number }
  | { readonly do: 'finish'; readonly lane: number; readonly suffix: Uint8Array | undefined }
  | { readonly do: 'digest'; readonly algorithm: string; readonly offset: number; readonly length: number }
);

/** A digest of many slabs, in the order in which they are given. */
export interface DigestLane {
  /** Resolves when the bytes have been taken in: until then the slab must be held. */
  update(slab: Slab, length: number): Promise<void>;
  /** Hex of everything, and of a few bytes more where there are any. To be called once, after the last update. */
  finish(suffix?: Uint8Array): Promise<string>;
}

/** Hashes over the memory of a slab pool. */
export interface DigestEngine extends AsyncDisposable {
  lane(algorithm: DigestAlgorithm): DigestLane;
  /** Hex digest of a part of a slab by itself. */
  digest(algorithm: DigestAlgorithm, slab: Slab, from: number, length: number): Promise<string>;
}

/** In this thread: for images so small that starting another one costs more than it saves. */
export function inlineDigestEngine(): DigestEngine {
  return {
    lane(algorithm) {
      const hash = createHash(digestAlgorithms[algorithm].nodeName);
      return {
        update: async (slab, length) => {
          hash.update(slab.bytes.subarray(0, length));
        },
        finish: async (suffix) => hash.update(suffix ?? '').digest('hex'),
      };
    },
    digest: async (algorithm, slab, from, length) =>
      createHash(digestAlgorithms[algorithm].nodeName)
        .update(slab.bytes.subarray(from, from + length))
        .digest('hex'),
    [Symbol.asyncDispose]: async () => {},
  };
}

/**
 * In threads of their own: hashing where the sockets are read costs 1.6 times as long, since neither goes on while the
 * other does. A lane stays with one thread; single digests go to whichever has the least to do.
 */
export function threadedDigestEngine(memory: SharedArrayBuffer, threads: number): DigestEngine {
  const workers = Array.from({ length: threads }, () => startWorker(memory));
  const idlest = () => workers.reduce((best, one) => (one.pending() < best.pending() ? one : best));
  let lanes = 0;
  return {
    lane(algorithm) {
      const worker = idlest();
      const lane = lanes++;
      const begun = worker.ask({ do: 'begin', lane, algorithm: digestAlgorithms[algorithm].nodeName });
      // what it would reject with, every later task of the worker rejects with too
      begun.catch(() => {});
      return {
        update: async (slab, length) => {
          await worker.ask({ do: 'update', lane, offset: slab.offset, length });
        },
        finish: async (suffix) => required(await worker.ask({ do: 'finish', lane, suffix })),
      };
    },
    digest: async (algorithm, slab, from, length) => {
      const { nodeName } = digestAlgorithms[algorithm];
      return required(
        await idlest().ask({ do: 'digest', algorithm: nodeName, offset: slab.offset + from, length }),
      );
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map((worker) => worker.stop()));
    },
  };
}

type TaskWithoutId = DigestTask extends infer T ? (T extends DigestTask ? Omit<T, 'id'> : never) : never;

interface RunningWorker {
  pending(): number;
  ask(task: TaskWithoutId): Promise<string | undefined>;
  stop(): Promise<void>;
}

function startWorker(memory: SharedArrayBuffer): RunningWorker {
  const worker = new Worker(new URL('./digest-worker.ts', import.meta.url), { workerData: memory });
  worker.unref();
  const waiting = new Map<number, PromiseWithResolvers<string | undefined>>();
  let ended: Error | undefined;
  let ids = 0;
  const endWith = (error: Error) => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  worker.on('message', ([id, result]: [number, string | undefined]) => {
    waiting.get(id)?.resolve(result);
    waiting.delete(id);
    if (waiting.size === 0) worker.unref();
  });
  worker.on('error', (error) => endWith(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', () => endWith(new Error('the hashing thread has ended')));
  return {
    pending: () => waiting.size,
    ask(task) {
      if (ended) return Promise.reject(ended);
      const id = ids++;
      const answer = Promise.withResolvers<string | undefined>();
      waiting.set(id, answer);
      // whoever waits for a digest keeps the process alive, a thread without work does not
      worker.ref();
      worker.postMessage({ ...task, id });
      return answer.promise;
    },
    async stop() {
      ended ??= new Error('the hashing thread was stopped');
      await worker.terminate();
    },
  };
}

function required(hex: string | undefined): string {
  if (hex === undefined) throw new Error('the hashing thread lost a lane');
  return hex;
}
