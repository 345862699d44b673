import type { ImageEngine } from '../storage/image-engine.ts';
import { requirePool } from '../storage/pool.ts';
import type { Handler } from './handler.ts';
import { keepResumableMs, othersQuietMs } from './template-prepare.ts';

/** Removes what interrupted transfers left on a pool, of this host or of others, when nobody will go on with it. */
export function makePoolClean(deps: { readonly engine: () => Promise<ImageEngine> }): Handler<'pool.clean'> {
  return async ({ pool, owned }, { signal }) => {
    await requirePool(pool);
    const engine = await deps.engine();
    const removed = await engine.removeAbandonedPartials(pool.path, {
      owned,
      quietMs: othersQuietMs,
      keepResumableMs,
      signal,
    });
    return { removed: [...removed] };
  };
}
