import type { AgentMethods, ParamsOf, ResultOf } from '@millrace/agent-protocol';
import { type Logger, redactUrl } from '@millrace/core';
import { rbdImages } from '@millrace/image/rbd-images';
import { fail } from '../failure.ts';
import type { Lanes } from '../lanes.ts';
import { type ImageEngine, imageRequestOf } from '../storage/image-engine.ts';
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
      requireFormat(params);
      const request = imageRequestOf(params);
      const engine = await deps.engine();
      log.info({ url: redactUrl(source.url), pool: pool.path }, 'transfer begins');
      const transfers = await deps.transfers();
      using grant = transfers.begin(params.policy, params.priority ?? 'deployment');
      const stored = source.format === 'iso' ? request : { ...request, storeFormat: 'raw' as const };
      const fetched = await engine.fetchImage(stored, engine.rbdSink({ pool: rbdPool, image }), {
        ...grant.options,
        signal,
        log,
        onProgress: (value) => progress({ ...value, attempts: [...value.attempts] }),
      });
      return fetchedResult(installPath, fetched);
    });
  };
}

/** The converter of the other formats wants files. */
function requireFormat({ source: { format } }: Params): void {
  if (format === 'qcow2' || format === 'raw' || format === 'iso') return;
  fail(
    'FORMAT_UNSUPPORTED',
    `images of the format ${format} cannot be put on an RBD pool: register the image as qcow2 or raw`,
  );
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
