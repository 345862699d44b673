import type { AgentMethods, ParamsOf, ResultOf } from '@millrace/agent-protocol';
import { describeError, type Logger, redactUrl } from '@millrace/core';
import { rbdImages } from '@millrace/image/rbd-images';
import { copyRbdImage } from '@millrace/image/rbd-names';
import type { RbdPool } from '@millrace/image/rbd-pool';
import type { Lanes } from '../lanes.ts';
import { type ImageEngine, imageRequestOf } from '../storage/image-engine.ts';
import { poolReserve } from '../storage/pool.ts';
import { rbdPoolOf } from '../storage/rbd-access.ts';
import { rbdImageName, rbdLane } from '../storage/rbd-name.ts';
import type { Transfers } from '../storage/transfers.ts';
import type { Handler } from './handler.ts';
import { fetchedResult } from './template-prepare.ts';

type Params = ParamsOf<AgentMethods, 'template.prepare'>;
type Result = ResultOf<AgentMethods, 'template.prepare'>;

/**
 * Puts a template into an RBD pool, as the raw image that disks are clones of (docs/decisions/0014). An image with the
 * name is whole, so it is reused without moving a byte.
 */
export function makeRbdTemplatePrepare(deps: {
  readonly engine: () => Promise<ImageEngine>;
  readonly transfers: () => Promise<Transfers>;
  readonly lanes: Lanes;
  readonly log: Logger;
}): Handler<'template.prepare'> {
  return (params, { id, signal, progress }) => {
    const { pool, installPath, source } = params;
    const rbdPool = rbdPoolOf(pool);
    const image = rbdImageName(installPath);
    return deps.lanes.run(rbdLane(pool, installPath), signal, async () => {
      const log = deps.log.child({ operation: id, template: installPath });
      const sizeBytes = await rbdImages(rbdPool, signal).sizeOf(image);
      if (sizeBytes) return reused(params, sizeBytes);
      const copied = await copy(params, rbdPool, { log, signal });
      if (copied) return copied;
      const request = imageRequestOf(params);
      const engine = await deps.engine();
      log.info({ url: redactUrl(source.url), pool: pool.path }, 'transfer begins');
      const transfers = await deps.transfers();
      using grant = transfers.begin(params.policy, params.priority ?? 'deployment');
      const stored = source.format === 'iso' ? request : { ...request, storeFormat: 'raw' as const };
      const { ledger } = transfers;
      const sink = engine.rbdSink({ pool: rbdPool, image, reserve: poolReserve, ledger });
      const fetched = await engine.fetchImage(stored, sink, {
        ...grant.options,
        signal,
        log,
        onProgress: (value) => progress({ ...value, attempts: [...value.attempts] }),
      });
      return fetchedResult(installPath, fetched);
    });
  };
}

/** Another template's image with the same bytes is this one's, too. Where that cannot be done the image is fetched. */
async function copy(
  params: Params,
  pool: RbdPool,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<Result | undefined> {
  const { same, installPath } = params;
  if (same === undefined) return undefined;
  const images = rbdImages(pool, signal);
  const image = rbdImageName(installPath);
  try {
    await copyRbdImage(images, rbdImageName(same), image);
    const sizeBytes = await images.sizeOf(image);
    if (!sizeBytes) return undefined;
    log.info({ same }, 'the image was in the pool under another name');
    return { ...reused(params, sizeBytes), linked: 'clone' };
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ same, reason: describeError(error) }, 'the same image cannot be cloned: fetched');
    return undefined;
  }
}

function reused({ installPath, source }: Params, sizeBytes: number): Result {
  return {
    installPath,
    format: source.format === 'iso' ? 'iso' : 'raw',
    sizeBytes,
    virtualSizeBytes: sizeBytes,
    transferredBytes: 0,
    reused: true,
    // nothing was transferred, so nothing was digested: what was asked for is what it was once committed with
    checksum: source.checksum ?? '',
    attempts: [],
    warnings: [],
    phaseMs: {},
  };
}
