import { Worker } from 'node:worker_threads';
import { orAborted } from '@millrace/core';
import { headBytes } from '../inspect/inspect-image.ts';
import type { Slab } from '../memory/slab-pool.ts';
import type { ImageWriter } from '../transfer/image-writer.ts';
import { openWidePipe, type PipeEnd } from './wide-pipe.ts';

/**
 * A way out of a program straight into slabs. The pipes that Node makes for a child are read into a new Buffer each time,
 * which takes longer than unpacking zstd does; a thread reads this one into the memory that is written to the disk, and
 * the program never waits for the main thread.
 */
export interface SlabOutlet {
  /** To be given to the program as its stdout. */
  readonly stdout: PipeEnd;
  /** Resolves when the program, and whoever else holds its stdout, has closed it and everything is with the writer. */
  readonly drained: Promise<SlabOutput>;
  /** Gives everything back, after the program has ended or was killed: until then the memory is its. */
  close(): Promise<void>;
}

/** What came out, and the last bytes of it, as many as were asked for. */
export interface SlabOutput {
  readonly bytes: number;
  readonly tail: Buffer;
}

/** What the reading thread is started with. */
export interface OutletThread {
  readonly memory: SharedArrayBuffer;
  /** File descriptor, which threads share. */
  readonly pipe: number;
}

/** A part of the memory to be filled. The answer is how much there was: less than asked for at the end only. */
export interface OutletTask {
  readonly offset: number;
  readonly length: number;
}

export async function openSlabOutlet(
  writer: ImageWriter,
  { tailBytes, signal }: { readonly tailBytes: number; readonly signal: AbortSignal },
): Promise<SlabOutlet> {
  const { writeEnd, readEnd } = await openWidePipe(signal);
  const thread = startThread({ memory: writer.memory, pipe: readEnd.fd });
  const drained = orAborted(drain(thread, writer, tailBytes), signal);
  // whoever fails before the end does not wait for it any more
  drained.catch(() => {});
  return {
    stdout: writeEnd,
    drained,
    async close() {
      await writeEnd.close();
      await thread.stop();
      await readEnd.close();
    },
  };
}

/** One slab is filled while the other is handed over. */
const slabsAtOnce = 2;

async function drain(thread: PipeThread, writer: ImageWriter, tailBytes: number): Promise<SlabOutput> {
  const filling: Filling[] = [];
  let bytes = 0;
  let tail = Buffer.alloc(0);
  let looked = false;
  try {
    for (;;) {
      while (filling.length < slabsAtOnce) filling.push(beginFilling(thread, await writer.slab()));
      const { slab, head, filled } = filling[0]!;
      if (!looked && (await head) === headBytes) writer.look(slab, headBytes);
      looked = true;
      const length = await filled;
      filling.shift();
      bytes += length;
      const last = slab.bytes.subarray(Math.max(0, length - tailBytes), length);
      tail = Buffer.concat([tail, last]).subarray(-tailBytes || undefined);
      if (length === 0) slab.release();
      else await writer.writeSlab(slab, length);
      if (length < slab.bytes.length) return { bytes, tail };
    }
  } finally {
    for (const { slab } of filling) slab.release();
  }
}

interface Filling {
  readonly slab: Slab;
  /** How much of the first 64 KiB there is, known before the rest has come. */
  readonly head: Promise<number>;
  readonly filled: Promise<number>;
}

function beginFilling(thread: PipeThread, slab: Slab): Filling {
  const headLength = Math.min(headBytes, slab.bytes.length);
  const head = thread.fill(slab, 0, headLength);
  const rest = thread.fill(slab, headLength, slab.bytes.length - headLength);
  const filled = Promise.all([head, rest]).then(([first, second]) => first + second);
  // reported where it is waited for, if it still is
  filled.catch(() => {});
  return { slab, head, filled };
}

interface PipeThread {
  /** Resolves with how much was read into the slab, which is held until then. */
  fill(slab: Slab, from: number, length: number): Promise<number>;
  /** Resolves when nothing is written into any slab any more: when what was asked for has been read, or the pipe has ended. */
  stop(): Promise<void>;
}

function startThread(workerData: OutletThread): PipeThread {
  const worker = new Worker(new URL('./outlet-worker.ts', import.meta.url), { workerData });
  const waiting: { readonly slab: Slab; readonly answer: PromiseWithResolvers<number> }[] = [];
  const idle = Promise.withResolvers<void>();
  let stopping = false;
  let ended: Error | undefined;
  worker.on('message', (count: number) => {
    const { slab, answer } = waiting.shift()!;
    slab.release();
    answer.resolve(count);
    if (stopping && waiting.length === 0) idle.resolve();
  });
  worker.on('error', (error) => {
    ended = error instanceof Error ? error : new Error(String(error));
  });
  worker.on('exit', () => {
    ended ??= new Error('the thread that reads the program has ended');
    for (const { slab, answer } of waiting.splice(0)) {
      slab.release();
      answer.reject(ended);
    }
    idle.resolve();
  });
  return {
    fill(slab, from, length) {
      if (ended) return Promise.reject(ended);
      const answer = Promise.withResolvers<number>();
      slab.retain();
      waiting.push({ slab, answer });
      worker.postMessage({ offset: slab.offset + from, length } satisfies OutletTask);
      return answer.promise;
    },
    async stop() {
      stopping = true;
      if (waiting.length > 0) await idle.promise;
      await worker.terminate();
    },
  };
}
