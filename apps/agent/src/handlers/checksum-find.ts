import { formatChecksum, type Logger, MillraceError } from '@millrace/core';
import { AgentFailure } from '../failure.ts';
import { type ImageEngine, imageRequestOf } from '../storage/image-engine.ts';
import type { Handler } from './handler.ts';

/** Finds an image's checksum in a list that its publisher has put beside it. */
export function makeChecksumFind(deps: {
  readonly engine: () => Promise<ImageEngine>;
  readonly log: Logger;
}): Handler<'checksum.find'> {
  return async ({ source, checksumUrl, policy }, { id, signal }) => {
    const engine = await deps.engine();
    const request = imageRequestOf({ source, policy, location: [] });
    const options = { signal, log: deps.log.child({ operation: id }) };
    const { digest, trust, warnings } = await engine
      .findChecksum({ ...request, checksumUrl }, options)
      .catch((error: unknown) => {
        // what a list says, it says to every host
        if (!(error instanceof MillraceError)) throw error;
        throw new AgentFailure(error.code, error.message, { cause: error, failureClass: 'stop' });
      });
    return { checksum: formatChecksum(digest), trust, warnings: [...warnings] };
  };
}
