import { FetchFault } from '../errors.ts';
import type { SpaceLedger } from '../sink/space.ts';
import { runsWithoutZeros } from '../sink/zero-runs.ts';
import type { ImageConverter, ImageSink, OpenImage } from '../types.ts';
import { convertRbdImage } from './rbd-convert.ts';
import { openRbdDevice, type RbdDevice } from './rbd-device.ts';
import { type RbdImages, rbdImages, rbdPartialPrefix, removeStaleRbdPartials } from './rbd-images.ts';
import { isOfImage, newPartialName, publishRbdImage } from './rbd-names.ts';
import { type RbdPool, requireRbdName } from './rbd-pool.ts';
import { type RbdSegmentNotes, rbdSegmentNotes, takeLeftRbdImage } from './rbd-resume.ts';
import { type RbdRoom, rbdRoom } from './rbd-room.ts';

export interface RbdSinkOptions {
  readonly pool: RbdPool;
  readonly image: string;
  /** Space that is left to others in the pool, bytes of its capacity. Default: none. */
  readonly reserve?: (capacityBytes: number) => number;
  /** What other transfers of this process have been promised. Default: nothing is known of them. */
  readonly ledger?: SpaceLedger;
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
      const room = rbdRoom(options, images);
      await room.reserve(expected.neededBytes ?? expected.sizeBytes ?? 0);
      const { resume } = expected;
      const left = await takeLeftRbdImage(images, options.image, expected).catch((error: unknown) => {
        room.release();
        throw error;
      });
      const partial = left?.partial ?? newPartialName(options.image);
      try {
        await removeStaleRbdPartials(
          images,
          `${rbdPartialPrefix}${options.image}.`,
          (name) => name !== partial && isOfImage(name, options.image),
        );
        if (!left) await images.create(partial, Math.max(roomBytes, expected.sizeBytes ?? 0));
        const device = await openRbdDevice(options.pool, partial, signal);
        const kept = left?.kept ?? [];
        // not the signal of the transfer: what is left is noted after its end
        const lasting = rbdImages(options.pool, new AbortController().signal);
        const log =
          resume && rbdSegmentNotes(resume, kept, { images: lasting, partial, flush: device.flush });
        const segmentBytes = resume?.segmentBytes ?? 0;
        const end = kept.length === 0 ? 0 : (Math.max(...kept) + 1) * segmentBytes;
        const sizeBytes = Math.min(end, expected.sizeBytes ?? end);
        return openImage(options, partial, { device, room, signal, kept, log, sizeBytes, segmentBytes });
      } catch (error) {
        room.release();
        // what another fetch may go on with is worth more than an empty image
        if (!left) await images.remove(partial);
        throw error;
      }
    },
    aside: (purpose) => rbdSink({ ...options, image: `${options.image}.${purpose}` }),
  };
}

function openImage(
  options: RbdSinkOptions,
  firstPartial: string,
  opened: {
    readonly device: RbdDevice;
    readonly room: RbdRoom;
    readonly signal: AbortSignal;
    readonly kept: readonly number[];
    readonly log: RbdSegmentNotes | undefined;
    readonly sizeBytes: number;
    readonly segmentBytes: number;
  },
): OpenImage {
  const { pool, image, onCommitStep = () => {} } = options;
  // not the signal of the transfer: what is tidied up is tidied up after its end
  const images = rbdImages(pool, new AbortController().signal);
  let partial = firstPartial;
  let { device, log, sizeBytes } = opened;
  const { room } = opened;
  let state: 'writing' | 'committed' | 'aborted' | 'suspended' = 'writing';
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
    room.release();
    await log?.stop();
    await close();
    await images.remove(partial);
  };
  /** What arrived is cut to its size, as some formats have something at their end, and gone when this is over. */
  const convert = async (converter: ImageConverter) => {
    await room.require(sizeBytes);
    await device.flush();
    await log?.remove();
    // what it tells of goes with the image that arrived
    log = undefined;
    await close();
    await images.resize(partial, sizeBytes, { shrink: true });
    const arrived = partial;
    const converted = newPartialName(image);
    const { signal } = opened;
    try {
      sizeBytes = await convertRbdImage({ pool, images, converter, signal }, arrived, converted);
      device = await openRbdDevice(pool, converted, signal);
      closing = undefined;
      partial = converted;
    } catch (error) {
      await images.remove(converted);
      throw error;
    }
    await images.remove(arrived);
  };
  return {
    kept: opened.kept,
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
        room.written(bytes.length);
        const runs = overwrite ? [[0, bytes.length] as const] : runsWithoutZeros(bytes);
        await Promise.all(runs.map(([from, to]) => device.write(position + from, bytes.subarray(from, to))));
        sizeBytes = Math.max(sizeBytes, position + bytes.length);
      }),
    note: async (segment) => log?.note(segment),
    hasRoomFor: (bytes) =>
      room.require(bytes).then(
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
    convert: (converter) => guarded(() => convert(converter)),
    commit: (expectedSizeBytes) =>
      guarded(async () => {
        await onCommitStep('flush');
        await device.flush();
        // what has its snapshot is not gone on with: what was written then would be missing there
        await log?.remove();
        await close();
        // Ceph takes it for an error when there is nothing to change
        if (device.sizeBytes !== sizeBytes) await images.resize(partial, sizeBytes, { shrink: true });
        await onCommitStep('check-size');
        await requireSize(images, partial, sizeBytes, expectedSizeBytes);
        await onCommitStep('protect');
        await images.protect(partial);
        await onCommitStep('rename');
        await publishRbdImage(images, partial, image);
        state = 'committed';
        room.release();
        await onCommitStep('done');
      }),
    abort,
    async suspend() {
      if (state !== 'writing') return 0;
      const segments = (await log?.save().catch(() => 0)) ?? 0;
      if (segments === 0) {
        await abort();
        return 0;
      }
      state = 'suspended';
      room.release();
      await close();
      return segments * opened.segmentBytes;
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

function deviceFault(error: unknown, { pool }: RbdPool): Error {
  if (error instanceof FetchFault) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = text.includes('ENOSPC') ? 'POOL_FULL' : 'POOL_UNAVAILABLE';
  return new FetchFault(code, `RBD pool ${pool}: ${text}`, { cause: error });
}
