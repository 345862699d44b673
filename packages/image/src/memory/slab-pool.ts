import { orAborted } from '@millrace/core';

/** Direct I/O wants addresses, positions and lengths that are multiples of this. */
export const pageBytes = 4096;
/** WebAssembly counts memory in pages of its own. */
const wasmPageBytes = 65_536;

/**
 * A fixed piece of page-aligned memory that worker threads see too. Whoever gets one holds it; `retain` adds a holder,
 * and the last `release` gives it back to the pool.
 */
export interface Slab {
  /** All of it. Never to be kept beyond the release. */
  readonly bytes: Buffer;
  /** Where it begins in the pool's memory. */
  readonly offset: number;
  retain(): void;
  release(): void;
}

export interface SlabPool extends Disposable {
  readonly memory: SharedArrayBuffer;
  readonly slabBytes: number;
  readonly count: number;
  /** Slabs that nobody holds. */
  readonly free: number;
  tryAcquire(): Slab | undefined;
  /** Resolves when a slab is free, in the order of asking. Rejects with the signal's reason. */
  acquire(signal: AbortSignal): Promise<Slab>;
}

/**
 * Memory for pools, used again by the next transfer: what a transfer had would otherwise stay with the process until the
 * next garbage collection, which does not know how much it is.
 */
export interface SlabMemories {
  take(bytes: number): SharedArrayBuffer;
  giveBack(memory: SharedArrayBuffer): void;
}

/** So much is kept for the next transfers; what is beyond that, when many have run at once, is let go of. */
const mostKept = 4;
/** Few sizes, so that what one transfer had fits the next one. */
const memoryStepBytes = 4 * 1024 * 1024;

export function makeSlabMemories(): SlabMemories {
  const kept: SharedArrayBuffer[] = [];
  return {
    take(bytes) {
      const size = Math.ceil(bytes / memoryStepBytes) * memoryStepBytes;
      const index = kept.findIndex((memory) => memory.byteLength >= size && memory.byteLength <= 2 * size);
      const [memory] = index < 0 ? [] : kept.splice(index, 1);
      return memory ?? allocate(size);
    },
    giveBack(memory) {
      if (kept.length < mostKept) kept.push(memory);
    },
  };
}

/** The memory of a shared WebAssembly memory is page-aligned. Pages never touched take no room. */
function allocate(bytes: number): SharedArrayBuffer {
  const pages = Math.ceil(bytes / wasmPageBytes);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer;
}

export interface SlabPoolOptions {
  readonly slabBytes: number;
  readonly count: number;
  /** Where the memory comes from and goes back to; otherwise it is the pool's own. */
  readonly memories?: SlabMemories | undefined;
}

/**
 * Makes a pool over page-aligned shared memory: the one kind that sockets can read into, files be written from and threads
 * hash, without a copy in between. To be disposed of when nothing holds a slab and no thread sees the memory any more.
 */
export function makeSlabPool({ slabBytes, count, memories }: SlabPoolOptions): SlabPool {
  if (slabBytes % pageBytes !== 0 || slabBytes <= 0) throw new Error(`slabs of ${slabBytes} bytes`);
  const memory = memories?.take(slabBytes * count) ?? allocate(slabBytes * count);
  const free: number[] = Array.from({ length: count }, (_, index) => (count - 1 - index) * slabBytes);
  const waiting: ((slab: Slab) => void)[] = [];

  const slabAt = (offset: number): Slab => {
    let holders = 1;
    return {
      bytes: Buffer.from(memory, offset, slabBytes),
      offset,
      retain() {
        if (holders === 0) throw new Error('a slab was retained after its release');
        holders += 1;
      },
      release() {
        if (holders === 0) throw new Error('a slab was released twice');
        holders -= 1;
        if (holders > 0) return;
        const next = waiting.shift();
        if (next) next(slabAt(offset));
        else free.push(offset);
      },
    };
  };

  const tryAcquire = () => {
    const offset = free.pop();
    return offset === undefined ? undefined : slabAt(offset);
  };
  return {
    memory,
    slabBytes,
    count,
    [Symbol.dispose]: () => memories?.giveBack(memory),
    get free() {
      return free.length;
    },
    tryAcquire,
    async acquire(signal) {
      signal.throwIfAborted();
      const slab = tryAcquire();
      if (slab) return slab;
      const { promise, resolve } = Promise.withResolvers<Slab>();
      waiting.push(resolve);
      try {
        return await orAborted(promise, signal);
      } catch (error) {
        const index = waiting.indexOf(resolve);
        if (index >= 0) waiting.splice(index, 1);
        // it was given in the same moment as it was not wanted any more
        else promise.then((given) => given.release());
        throw error;
      }
    },
  };
}
