import type { FetchPolicy, ImageSourceMessage, ProbedSource } from '@millrace/agent-protocol';
import { describeError, parseChecksum } from '@millrace/core';
import type { ImageRequest } from '@millrace/image';
import { AgentFailure } from '../failure.ts';

/** What the agent needs of `@millrace/image`. */
export type ImageEngine = Pick<
  typeof import('@millrace/image'),
  | 'probeImage'
  | 'fetchImage'
  | 'findChecksum'
  | 'directorySink'
  | 'rbdSink'
  | 'removeStalePartials'
  | 'removeAbandonedPartials'
  | 'makeSlabMemories'
  | 'makeSpaceLedger'
  | 'makeRateLimiter'
>;

/** The engine, loaded when it is first used: a host that transfers nothing need not hold it in memory. */
export async function loadImageEngine(): Promise<ImageEngine> {
  return import('@millrace/image');
}

/**
 * The server's message as the engine's request.
 * @throws AgentFailure `CHECKSUM_MALFORMED`, which no other host would read differently.
 */
export function imageRequestOf(message: {
  readonly source: ProbedSource;
  readonly policy: FetchPolicy;
  readonly location: readonly string[];
}): ImageRequest {
  const { source, policy, location } = message;
  const {
    egressAllowedCidrs,
    extraCa,
    signatureKeys,
    rateLimitBytesPerSecond,
    hostRateLimitBytesPerSecond,
    ...limits
  } = policy;
  const { checksum, format, ...wanted } = source;
  return {
    ...wanted,
    format,
    expectedDigest: checksum === undefined ? undefined : readChecksum(checksum),
    location,
    limits,
    ...(extraCa ? { extraCa } : {}),
    ...(signatureKeys ? { signatureKeys } : {}),
    egress: { allowedCidrs: egressAllowedCidrs },
  };
}

/** What a pool stores of an image that is declared to be this. */
export function storedFormatOf(declared: ImageSourceMessage['format']): 'qcow2' | 'raw' | 'iso' {
  return declared === 'raw' || declared === 'iso' ? declared : 'qcow2';
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
