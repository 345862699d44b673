import type { PoolAccess } from '../storage/pool-access.ts';
import { poolSpace } from '../storage/pool-space.ts';
import type { Handler } from './handler.ts';

/** Makes a shared pool accessible on this host, and tells its size. */
export function makePoolAttach(deps: { readonly pools: PoolAccess }): Handler<'pool.attach'> {
  return async ({ pool, first }, { signal }) => {
    const here = await deps.pools.attach(pool, { first, signal });
    return { localPath: here.path, ...(await poolSpace(here, signal)) };
  };
}

/** Takes a shared pool off this host. */
export function makePoolDetach(deps: { readonly pools: PoolAccess }): Handler<'pool.detach'> {
  return async ({ pool, last }, { signal }) => {
    await deps.pools.detach(pool, { last, signal });
    return {};
  };
}
