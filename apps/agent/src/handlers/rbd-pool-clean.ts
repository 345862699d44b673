import { rbdImages, rbdPartialPrefix, removeStaleRbdPartials } from '@millrace/image/rbd-images';
import { isResumable } from '@millrace/image/rbd-resume';
import { rbdPoolOf } from '../storage/rbd-access.ts';
import type { Handler } from './handler.ts';
import { keepResumableMs } from './template-prepare.ts';

/** Removes what interrupted transfers left on an RBD pool when nobody will go on with it. What somebody writes stays. */
export function makeRbdPoolClean(): Handler<'pool.clean'> {
  return async ({ pool, owned }, { signal }) => {
    const images = rbdImages(rbdPoolOf(pool), signal);
    // one that has just been made is not open yet
    const underWay = owned.filter((one) => one.underWay).map(({ name }) => `${rbdPartialPrefix}${name}`);
    const removed: string[] = [];
    for (const name of await images.list()) {
      if (!name.startsWith(rbdPartialPrefix) || underWay.some((prefix) => name.startsWith(prefix))) continue;
      const owner = owned.find((one) => name.startsWith(`${rbdPartialPrefix}${one.name}`));
      if (owner && (await isResumable(images, name, keepResumableMs))) continue;
      removed.push(...(await removeStaleRbdPartials(images, name)));
    }
    return { removed };
  };
}
