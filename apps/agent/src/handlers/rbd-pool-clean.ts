import { rbdImages, rbdPartialPrefix, removeStaleRbdPartials } from '@millrace/image/rbd-images';
import { rbdPoolOf } from '../storage/rbd-access.ts';
import type { Handler } from './handler.ts';

/** Removes what interrupted transfers left on an RBD pool: nothing is resumed there, and what somebody writes stays. */
export function makeRbdPoolClean(): Handler<'pool.clean'> {
  return async ({ pool, owned }, { signal }) => {
    const images = rbdImages(rbdPoolOf(pool), signal);
    // one that has just been made is not open yet
    const underWay = owned.filter((one) => one.underWay).map(({ name }) => `${rbdPartialPrefix}${name}`);
    const removed: string[] = [];
    for (const name of await images.list()) {
      if (!name.startsWith(rbdPartialPrefix) || underWay.some((prefix) => name.startsWith(prefix))) continue;
      removed.push(...(await removeStaleRbdPartials(images, name)));
    }
    return { removed };
  };
}
