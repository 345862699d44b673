import type { ImageConverter } from '../types.ts';
import type { RbdImages } from './rbd-images.ts';
import type { RbdPool } from './rbd-pool.ts';
import { type ServedRbdImage, serveRbdImage } from './rbd-server.ts';

/**
 * Lets a converter read one image of a pool and write another one, which is made for it. The converter has two sockets:
 * no network, no key, no name of anything in the cluster.
 * @returns the size of the new image
 * @throws FetchFault as the converter; `POOL_UNAVAILABLE`
 */
export async function convertRbdImage(
  {
    pool,
    images,
    converter,
    signal,
  }: {
    readonly pool: RbdPool;
    readonly images: RbdImages;
    readonly converter: ImageConverter;
    readonly signal: AbortSignal;
  },
  from: string,
  to: string,
): Promise<number> {
  const sizeBytes = await using([await serveRbdImage(pool, from, { signal, readOnly: true })], ([source]) =>
    converter.resultBytes(source!.socketPath, 'nbd-sockets'),
  );
  await images.create(to, sizeBytes);
  const source = await serveRbdImage(pool, from, { signal, readOnly: true });
  let target: ServedRbdImage;
  try {
    target = await serveRbdImage(pool, to, { signal });
  } catch (error) {
    await source.kill();
    throw error;
  }
  await using([source, target], () => converter.convert(source.socketPath, target.socketPath, 'nbd-sockets'));
  return sizeBytes;
}

/** Each ends with its client, which has gone when `use` comes back; what was written is in the pool then. */
async function using<T>(
  served: readonly ServedRbdImage[],
  use: (served: readonly ServedRbdImage[]) => Promise<T>,
): Promise<T> {
  try {
    const result = await use(served);
    for (const one of served) await one.ended();
    return result;
  } catch (error) {
    const failed = served.find((one) => one.hasFailed());
    for (const one of served) await one.kill();
    throw failed ? failed.faultOf(error) : error;
  }
}
