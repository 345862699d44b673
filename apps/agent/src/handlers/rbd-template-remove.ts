import { rbdImages, rbdPartialPrefix, removeStaleRbdPartials } from '@millrace/image/rbd-images';
import { removeRbdImage } from '@millrace/image/rbd-names';
import type { Lanes } from '../lanes.ts';
import { rbdPoolOf } from '../storage/rbd-access.ts';
import { rbdImageName, rbdLane } from '../storage/rbd-name.ts';
import type { Handler } from './handler.ts';

/** Removes a template from an RBD pool with its snapshot, and what a killed transfer of it left. Under disks it stays. */
export function makeRbdTemplateRemove(deps: { readonly lanes: Lanes }): Handler<'template.remove'> {
  return ({ pool, installPath }, { signal }) =>
    deps.lanes.run(rbdLane(pool, installPath), signal, async () => {
      const images = rbdImages(rbdPoolOf(pool), signal);
      const name = rbdImageName(installPath);
      await removeStaleRbdPartials(images, `${rbdPartialPrefix}${name}.`);
      await removeRbdImage(images, name);
      return {};
    });
}
