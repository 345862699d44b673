import { rbdImages } from '@millrace/image/rbd-images';
import { rbdPoolOf } from '../storage/rbd-access.ts';
import { rbdImageName } from '../storage/rbd-name.ts';
import type { Handler } from './handler.ts';

/** Says whether a template's image is in the RBD pool. What has its name is whole, and has the snapshot that disks stand on. */
export function makeRbdTemplateCheck(): Handler<'template.check'> {
  return async ({ pool, installPath }, { signal }) => {
    const sizeBytes = await rbdImages(rbdPoolOf(pool), signal).sizeOf(rbdImageName(installPath));
    return sizeBytes ? { present: true, sizeBytes } : { present: false };
  };
}
