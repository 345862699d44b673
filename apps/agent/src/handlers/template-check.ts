import { pathInPool, requirePool, statOrUndefined } from '../storage/pool.ts';
import type { Handler } from './handler.ts';

/** Says whether a template's file is there. A file under its final name is whole: nothing else is ever given it. */
export function makeTemplateCheck(): Handler<'template.check'> {
  return async ({ pool, installPath }) => {
    await requirePool(pool);
    const found = await statOrUndefined(pathInPool(pool, installPath));
    return found?.isFile() && found.size > 0 ? { present: true, sizeBytes: found.size } : { present: false };
  };
}
