import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { rbdImages } from './rbd-images.ts';
import { type RbdPool, runCeph } from './rbd-pool.ts';

/** An empty image whose metadata say whose pool it is. */
const markImage = '.millrace-pool';
const markKey = 'millrace.pool';
/** Who made the mark writes the metadata at once; later than this it was interrupted. */
const writtenWithinMs = 10_000;

const metadata = z.record(z.string(), z.string());

/** Whose pool it is; undefined when it is nobody's. @throws FetchFault `POOL_UNAVAILABLE`; MillraceError */
export async function rbdPoolMark(pool: RbdPool, signal: AbortSignal): Promise<string | undefined> {
  if ((await rbdImages(pool, signal).sizeOf(markImage)) === undefined) return undefined;
  const argv = ['image-meta', 'list', '--format', 'json', `${pool.pool}/${markImage}`];
  const printed = (await runCeph(pool, 'rbd', argv, signal)).trim();
  return printed === '' ? undefined : metadata.parse(JSON.parse(printed))[markKey];
}

/**
 * Marks the pool, unless it is marked already: Ceph makes an image of one name once, so who makes it has the pool.
 * @returns whose pool it is now
 */
export async function markRbdPool(pool: RbdPool, uuid: string, signal: AbortSignal): Promise<string> {
  const known = await rbdPoolMark(pool, signal);
  if (known !== undefined) return known;
  const images = rbdImages(pool, signal);
  try {
    await images.create(markImage, 0);
  } catch (error) {
    if ((await images.sizeOf(markImage)) === undefined) throw error;
    const deadline = performance.now() + writtenWithinMs;
    while (performance.now() < deadline) {
      const winner = await rbdPoolMark(pool, signal);
      if (winner !== undefined) return winner;
      await delay(200, undefined, { signal });
    }
  }
  await runCeph(pool, 'rbd', ['image-meta', 'set', `${pool.pool}/${markImage}`, markKey, uuid], signal);
  return (await rbdPoolMark(pool, signal)) ?? uuid;
}

/** Takes this pool's mark away; another's stays. */
export async function unmarkRbdPool(pool: RbdPool, uuid: string, signal: AbortSignal): Promise<void> {
  if ((await rbdPoolMark(pool, signal)) === uuid) await rbdImages(pool, signal).remove(markImage);
}
