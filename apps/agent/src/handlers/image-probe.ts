import { formatChecksum, type Logger } from '@millrace/core';
import { type ImageEngine, imageRequestOf } from '../storage/image-engine.ts';
import type { Handler } from './handler.ts';

/** Judges a source, or every mirror of a metalink, from this host, and inspects the image's first bytes. */
export function makeImageProbe(deps: {
  readonly engine: () => Promise<ImageEngine>;
  readonly log: Logger;
}): Handler<'image.probe'> {
  return async (params, { id, signal }) => {
    const engine = await deps.engine();
    const { expectedDigest, ...report } = await engine.probeImage(imageRequestOf(params), {
      signal,
      log: deps.log.child({ operation: id }),
    });
    return {
      ...report,
      sources: [...report.sources],
      warnings: [...report.warnings],
      ...(expectedDigest === undefined ? {} : { checksum: formatChecksum(expectedDigest) }),
    };
  };
}
