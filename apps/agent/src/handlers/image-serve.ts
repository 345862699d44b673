import { fail } from '../failure.ts';
import type { ImageServer } from '../image-server/image-server.ts';
import { imagePathIn, statOrUndefined } from '../storage/pool.ts';
import type { PoolAccess } from '../storage/pool-access.ts';
import type { Handler } from './handler.ts';

/** Grants the reading of one committed image. Sees the pool as the server named it: the grant outlives this agent's mounts. */
export function makeImageServe(deps: {
  readonly pools: PoolAccess;
  readonly imageServer: () => ImageServer | undefined;
}): Handler<'image.serve'> {
  return async ({ pool, installPath, name, lifetimeSeconds }, { signal }) => {
    const server = deps.imageServer();
    if (!server)
      fail(
        'IMAGE_SERVER_OFF',
        'this host serves no images: set MILLRACE_IMAGE_LISTEN of its agent, for example to 0.0.0.0:8260',
      );
    const found = await statOrUndefined(
      await imagePathIn(await deps.pools.resolve(pool, signal), installPath),
    );
    const expires = Date.now() + lifetimeSeconds * 1000;
    return { path: server.grant({ pool, installPath, name, expires }), sizeBytes: found?.size ?? 0 };
  };
}
