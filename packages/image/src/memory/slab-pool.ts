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

export interface SlabPool {
  readonly memory: SharedArrayBuffer;
  readonly slabBytes: number;
  /** Slabs that nobody holds. */
  readonly free: number;
  tryAcquire(): Slab | undefined;
  /** Resolves when a slab is free, in the order of asking. Rejects with the signal's reason. */
  acquire(signal: AbortSignal): Promise<Slab>;
}

/**
 * Makes a pool whose memory is that of a shared WebAssembly memory: the one way to page-aligned memory that sockets can
 * read into, files be written from and threads hash, without a copy in between. Pages never touched take no room.
 */
export function makeSlabPool(options: { readonly slabBytes: number; readonly count: number }): SlabPool {
  const { slabBytes, count } = options;
  if (slabBytes % pageBytes !== 0 || slabBytes <= 0) throw new Error(`slabs of ${slabBytes} bytes`);
  const pages = Math.ceil((slabBytes * count) / wasmPageBytes);
  const shared = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const memory = shared.buffer;
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
