import { randomUUID } from 'node:crypto';
import { FetchFault } from '../errors.ts';
import { runsWithoutZeros } from '../sink/zero-runs.ts';
import type { ImageSink, OpenImage } from '../types.ts';
import { openRbdDevice, type RbdDevice } from './rbd-device.ts';
import { isBusy, type RbdImages, rbdImages, rbdPartialPrefix, removeStaleRbdPartials } from './rbd-images.ts';
import { type RbdPool, requireRbdName } from './rbd-pool.ts';

export interface RbdSinkOptions {
  readonly pool: RbdPool;
  readonly image: string;
  /** Told before each step of the commit, so that tests can stop the process there. */
  readonly onCommitStep?: (step: RbdCommitStep) => void | Promise<void>;
}

export type RbdCommitStep = 'flush' | 'check-size' | 'protect' | 'rename' | 'done';

/** What an image of unknown size may grow to. Thin: it costs nothing. */
const roomBytes = 1024 ** 4;

/**
 * Puts an image into an RBD pool, as a raw image. It is written under a hidden name of its own, gets its protected
 * snapshot there, and then its name: what has the name has the snapshot, so clones can be made of it.
 */
export function rbdSink(options: RbdSinkOptions): ImageSink {
  requireRbdName(options.image);
  return {
    async open(signal, expected = {}) {
      signal.throwIfAborted();
      const images = rbdImages(options.pool, signal);
      await requireRoom(images, options.pool, expected.neededBytes ?? expected.sizeBytes ?? 0);
      const prefix = `${rbdPartialPrefix}${options.image}.`;
      await removeStaleRbdPartials(images, prefix);
      const partial = `${prefix}${randomUUID()}`;
      await images.create(partial, Math.max(roomBytes, expected.sizeBytes ?? 0));
      try {
        return openImage(options, partial, await openRbdDevice(options.pool, partial, signal));
      } catch (error) {
        await images.remove(partial);
        throw error;
      }
    },
    aside: (purpose) => rbdSink({ ...options, image: `${options.image}.${purpose}` }),
  };
}

async function requireRoom(images: RbdImages, { pool }: RbdPool, neededBytes: number): Promise<void> {
  const space = await images.space();
  if (space === undefined || neededBytes <= space.freeBytes) return;
  throw new FetchFault(
    'POOL_FULL',
    `RBD pool ${pool}: the image needs ${neededBytes} bytes, ${space.freeBytes} are free`,
  );
}

function openImage(options: RbdSinkOptions, partial: string, device: RbdDevice): OpenImage {
  const { pool, image, onCommitStep = () => {} } = options;
  // not the signal of the transfer: what is tidied up is tidied up after its end
  const images = rbdImages(pool, new AbortController().signal);
  let sizeBytes = 0;
  let state: 'writing' | 'committed' | 'aborted' = 'writing';
  const guarded = async <T>(action: () => Promise<T>): Promise<T> => {
    if (state !== 'writing') throw new Error(`the image was ${state}`);
    try {
      return await action();
    } catch (error) {
      throw deviceFault(error, pool);
    }
  };
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= device.close();
    return closing;
  };
  const abort = async () => {
    if (state !== 'writing') return;
    state = 'aborted';
    await close();
    await images.remove(partial);
  };
  return {
    kept: [],
    get sizeBytes() {
      return sizeBytes;
    },
    setSize(bytes) {
      sizeBytes = bytes;
    },
    write: (position, bytes, { overwrite = false } = {}) =>
      guarded(async () => {
        if (position + bytes.length > device.sizeBytes)
          throw new FetchFault(
            'POOL_FULL',
            `RBD pool ${pool.pool}: images of ${device.sizeBytes} bytes at most`,
          );
        const runs = overwrite ? [[0, bytes.length] as const] : runsWithoutZeros(bytes);
        await Promise.all(runs.map(([from, to]) => device.write(position + from, bytes.subarray(from, to))));
        sizeBytes = Math.max(sizeBytes, position + bytes.length);
      }),
    // nothing is kept for a later opening
    note: async () => {},
    hasRoomFor: (bytes) =>
      requireRoom(images, pool, bytes).then(
        () => true,
        () => false,
      ),
    read: (position, length) =>
      guarded(async () => {
        const target = Buffer.alloc(Math.max(0, Math.min(length, sizeBytes - position)));
        await device.readInto(position, target);
        return target;
      }),
    readInto: (position, target) => guarded(() => device.readInto(position, target)),
    commit: (expectedSizeBytes) =>
      guarded(async () => {
        await onCommitStep('flush');
        await device.flush();
        await close();
        await images.resize(partial, sizeBytes, { shrink: true });
        await onCommitStep('check-size');
        await requireSize(images, partial, sizeBytes, expectedSizeBytes);
        await onCommitStep('protect');
        await images.protect(partial);
        await onCommitStep('rename');
        await publish(images, partial, image);
        state = 'committed';
        await onCommitStep('done');
      }),
    abort,
    async suspend() {
      await abort();
      return 0;
    },
  };
}

async function requireSize(images: RbdImages, name: string, written: number, expected: number) {
  const found = await images.sizeOf(name);
  if (found === undefined) throw new FetchFault('PARTIAL_LOST', name);
  if (found === expected && written === expected) return;
  throw new FetchFault(
    'COMMIT_SIZE_WRONG',
    `${found} bytes in the pool, ${written} written, ${expected} expected`,
  );
}

/** An earlier image gives up its name; it goes, or, while disks stand on it, stays under a hidden one. */
async function publish(images: RbdImages, partial: string, image: string): Promise<void> {
  const replaced = `${rbdPartialPrefix}replaced.${randomUUID()}`;
  const occupied = (await images.sizeOf(image)) !== undefined;
  if (occupied) await images.rename(image, replaced);
  await images.rename(partial, image);
  if (!occupied) return;
  await images.remove(replaced).catch((error: unknown) => {
    if (!isBusy(error)) throw error;
  });
}

function deviceFault(error: unknown, { pool }: RbdPool): Error {
  if (error instanceof FetchFault) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = text.includes('ENOSPC') ? 'POOL_FULL' : 'POOL_UNAVAILABLE';
  return new FetchFault(code, `RBD pool ${pool}: ${text}`, { cause: error });
}
