import { sleep } from '@millrace/core';
import { isBusy, rbdImages } from '@millrace/image/rbd-images';
import type { Lanes } from '../lanes.ts';
import { rbdPoolOf } from '../storage/rbd-access.ts';
import { rbdImageName, rbdLane } from '../storage/rbd-name.ts';
import type { Handler } from './handler.ts';
import { makingName } from './rbd-volume-create.ts';

/** Ceph takes a QEMU that was killed for alive until 30 s after its last sign of life. */
const freeWithinMs = 45_000;

/** Removes a VM's disk from an RBD pool, and what a crash may have left of its making. */
export function makeRbdVolumeRemove(deps: { readonly lanes: Lanes }): Handler<'volume.remove'> {
  return ({ pool, path }, { signal }) =>
    deps.lanes.run(rbdLane(pool, path), signal, async () => {
      const images = rbdImages(rbdPoolOf(pool), signal);
      const name = rbdImageName(path);
      await images.remove(makingName(name));
      const deadline = performance.now() + freeWithinMs;
      for (;;) {
        try {
          await images.remove(name);
          return {};
        } catch (error) {
          if (!isBusy(error) || performance.now() > deadline) throw error;
        }
        await sleep(1000, signal);
      }
    });
}
