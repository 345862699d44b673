import { requireSpaceOf, type SpaceLedger, type SpaceReservation } from '../sink/space.ts';
import type { RbdImages } from './rbd-images.ts';
import type { RbdPool } from './rbd-pool.ts';

/** Asking the cluster takes a program half a second: what a fast network writes in the meantime fits well into the reserve. */
const checkBytes = 256 * 1024 * 1024;

/** The space that one image takes in a pool while it is written. */
export interface RbdRoom {
  /** Promises so much to this image. @throws FetchFault `POOL_FULL` with figures, when it does not fit */
  reserve(bytes: number): Promise<void>;
  /** @throws FetchFault `POOL_FULL` with figures, when so much more does not fit now */
  require(bytes: number): Promise<void>;
  /** Takes note of what is written. @throws FetchFault `POOL_FULL` when the pool was found full some time before */
  written(bytes: number): void;
  release(): void;
}

export function rbdRoom(
  options: {
    readonly pool: RbdPool;
    readonly reserve?: (capacityBytes: number) => number;
    readonly ledger?: SpaceLedger;
  },
  images: RbdImages,
): RbdRoom {
  const { pool, reserve, ledger } = options;
  const place = `${pool.monitors.join(',')}/${pool.pool}`;
  let reservation: SpaceReservation | undefined;
  let writtenBytes = 0;
  let checkedAt = 0;
  let full: unknown;
  const require = async (neededBytes: number) => {
    const promisedBytes = ledger?.outstanding(place, reservation) ?? 0;
    const demand = { directory: `RBD pool ${pool.pool}`, reserve, neededBytes, writtenBytes, promisedBytes };
    requireSpaceOf(await images.space(), demand);
  };
  return {
    async reserve(bytes) {
      // promised first: two that ask at once must not both be told that they fit
      reservation = ledger?.reserve(place, bytes);
      try {
        await require(bytes);
      } catch (error) {
        reservation?.[Symbol.dispose]();
        throw error;
      }
    },
    require,
    written(bytes) {
      if (full !== undefined) throw full;
      writtenBytes += bytes;
      reservation?.written(writtenBytes);
      if (writtenBytes - checkedAt < checkBytes) return;
      checkedAt = writtenBytes;
      require(bytes).catch((error: unknown) => {
        full = error;
      });
    },
    release() {
      reservation?.[Symbol.dispose]();
    },
  };
}
