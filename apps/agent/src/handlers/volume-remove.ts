import type { Lanes } from '../lanes.ts';
import { pathInPool, removeFile } from '../storage/pool.ts';
import type { Handler } from './handler.ts';
import { temporaryVolumePath, volumeLane } from './volume-create.ts';

/** Removes a VM's disk and what a crash may have left of its making. */
export function makeVolumeRemove(deps: { readonly lanes: Lanes }): Handler<'volume.remove'> {
  return ({ pool, path }, { signal }) => {
    const finalPath = pathInPool(pool, path);
    return deps.lanes.run(volumeLane(finalPath), signal, async () => {
      await removeFile(temporaryVolumePath(finalPath));
      await removeFile(finalPath);
      return {};
    });
  };
}
