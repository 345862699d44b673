import { partialPath, segmentLogPath } from '@millrace/image/partial-name';
import type { Lanes } from '../lanes.ts';
import { pathInPool, removeFile } from '../storage/pool.ts';
import type { Handler } from './handler.ts';
import { templateLane } from './template-prepare.ts';

/** Removes a template from the pool, and what a killed transfer of it left. That no disk needs it any more is the server's knowledge. */
export function makeTemplateRemove(deps: { readonly lanes: Lanes }): Handler<'template.remove'> {
  return ({ pool, installPath }, { signal }) => {
    const path = pathInPool(pool, installPath);
    return deps.lanes.run(templateLane(path), signal, async () => {
      // also of what is kept beside it while it is packed
      for (const name of [installPath, `${installPath}.packed`]) {
        await removeFile(segmentLogPath(pool.path, name));
        await removeFile(partialPath(pool.path, name));
      }
      await removeFile(path);
      return {};
    });
  };
}
