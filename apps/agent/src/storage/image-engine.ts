import type { FetchPolicy, ImageSourceMessage } from '@millrace/agent-protocol';
import { describeError, parseChecksum } from '@millrace/core';
import type { EngineOptions, FetchedImage, ImageProbe, ImageRequest, ImageSink } from '@millrace/image';
import { AgentFailure } from '../failure.ts';

/** What the agent needs of `@millrace/image`. */
export interface ImageEngine {
  probeImage(request: ImageRequest, options: EngineOptions): Promise<ImageProbe>;
  fetchImage(request: ImageRequest, sink: ImageSink, options: EngineOptions): Promise<FetchedImage>;
  directorySink(target: {
    readonly directory: string;
    readonly fileName: string;
    readonly mode?: number;
    readonly reserve?: (capacityBytes: number) => number;
  }): ImageSink;
  removeStalePartials(directory: string): Promise<unknown>;
}

/** The engine, loaded when it is first used: a host that transfers nothing need not hold it in memory. */
export async function loadImageEngine(): Promise<ImageEngine> {
  return import('@millrace/image');
}

/**
 * The server's message as the engine's request.
 * @throws AgentFailure `CHECKSUM_MALFORMED`, which no other host would read differently.
 */
export function imageRequestOf(message: {
  readonly source: ImageSourceMessage;
  readonly policy: FetchPolicy;
  readonly location: readonly string[];
}): ImageRequest {
  const { source, policy, location } = message;
  const { sourceOrder, egressAllowedCidrs, ...limits } = policy;
  return {
    url: source.url,
    headers: source.headers,
    format: source.format,
    expectedDigest: source.checksum === undefined ? undefined : readChecksum(source.checksum),
    location,
    limits: { ...limits, sourceOrder },
    egress: { allowedCidrs: egressAllowedCidrs },
  };
}

function readChecksum(text: string) {
  try {
    return parseChecksum(text);
  } catch (error) {
    throw new AgentFailure('CHECKSUM_MALFORMED', describeError(error), {
      cause: error,
      failureClass: 'stop',
    });
  }
}
