import { rbdImages } from '@millrace/image/rbd-images';
import { fail } from '../failure.ts';
import type { Lanes } from '../lanes.ts';
import { rbdPoolOf } from '../storage/rbd-access.ts';
import { rbdImageName, rbdLane } from '../storage/rbd-name.ts';
import type { Handler } from './handler.ts';

/**
 * Makes a VM's disk on an RBD pool: a clone of the template's protected snapshot, or an empty image. It gets its name when
 * it has its size, so a crash leaves nothing or a whole disk.
 */
export function makeRbdVolumeCreate(deps: { readonly lanes: Lanes }): Handler<'volume.create'> {
  return ({ pool, path, backing, sizeBytes = 0, replace }, { signal }) =>
    deps.lanes.run(rbdLane(pool, path), signal, async () => {
      const images = rbdImages(rbdPoolOf(pool), signal);
      const name = rbdImageName(path);
      const making = makingName(name);
      const answer = async (virtualSizeBytes: number) => ({
        path,
        virtualSizeBytes,
        physicalSizeBytes: await images.usedBytes(name),
      });
      await images.remove(making);
      const present = await images.sizeOf(name);
      if (present !== undefined && !replace) return answer(present);

      const base = backing && rbdImageName(backing.installPath);
      const baseBytes = base === undefined ? 0 : await images.sizeOf(base);
      if (baseBytes === undefined)
        fail(
          'TEMPLATE_MISSING',
          `the image ${base} is not in the RBD pool ${pool.path}: it has to be fetched again`,
        );
      if (base === undefined && sizeBytes === 0) fail('VOLUME_SIZE_MISSING', 'an empty disk needs a size');
      // a disk smaller than its template would cut off the guest's file system
      const wanted = Math.max(sizeBytes, baseBytes);
      if (base === undefined) await images.create(making, wanted);
      else await images.clone(base, making);
      if (base !== undefined && wanted > baseBytes) await images.resize(making, wanted);
      if (present !== undefined) await images.remove(name);
      await images.rename(making, name);
      return answer(wanted);
    });
}

/** One fixed name per disk, so that what a crash left is found and replaced by the next try. */
export function makingName(name: string): string {
  return `.millrace-creating-${name}`;
}
