import { randomUUID } from 'node:crypto';
import { rbdImages } from './rbd-images.ts';
import { type RbdPool, runCeph } from './rbd-pool.ts';

/** An empty image whose metadata say whose pool it is. */
const markImage = '.millrace-pool';
const markKey = 'millrace.pool';

/** Whose pool it is; undefined when it is nobody's. @throws FetchFault `POOL_UNAVAILABLE` */
export async function rbdPoolMark(pool: RbdPool, signal: AbortSignal): Promise<string | undefined> {
  if ((await rbdImages(pool, signal).sizeOf(markImage)) === undefined) return undefined;
  const mark = await runCeph(
    pool,
    'rbd',
    ['image-meta', 'get', `${pool.pool}/${markImage}`, markKey],
    signal,
  );
  return mark.trim();
}

/**
 * Marks the pool, unless it is marked already. The mark gets its name when it is whole: a rename onto a name that is
 * there fails, so the first one wins.
 * @returns whose pool it is now
 */
export async function markRbdPool(pool: RbdPool, uuid: string, signal: AbortSignal): Promise<string> {
  const known = await rbdPoolMark(pool, signal);
  if (known !== undefined) return known;
  const images = rbdImages(pool, signal);
  const making = `${markImage}-${randomUUID()}`;
  await images.create(making, 0);
  await runCeph(pool, 'rbd', ['image-meta', 'set', `${pool.pool}/${making}`, markKey, uuid], signal);
  try {
    await images.rename(making, markImage);
  } catch (error) {
    await images.remove(making);
    const winner = await rbdPoolMark(pool, signal);
    if (winner === undefined) throw error;
    return winner;
  }
  return uuid;
}

/** Takes this pool's mark away; another's stays. */
export async function unmarkRbdPool(pool: RbdPool, uuid: string, signal: AbortSignal): Promise<void> {
  if ((await rbdPoolMark(pool, signal)) === uuid) await rbdImages(pool, signal).remove(markImage);
}
