import { createHash } from 'node:crypto';
import { formatChecksum } from '@millrace/core';
import type { Beginning } from './begin.ts';
import type { RoundDeps } from './deps.ts';

/**
 * What a partial image must have been about to be gone on with (RFC 9110 §14.5, §15.3.7): the bytes that a digest names,
 * from wherever they came; without one, the version of the file that one URL had. The URL is a secret: it is hashed.
 */
export function resumeIdentity(
  { plan, options }: RoundDeps,
  { totalBytes, opened, trying, compression }: Beginning,
): string | undefined {
  if (totalBytes === undefined || options.keepPartial === false) return undefined;
  const version = plan.expectedDigest
    ? formatChecksum(plan.expectedDigest)
    : opened.validator &&
      createHash('sha256').update(`${trying.spot.source.url}\n${opened.validator}`).digest('hex');
  return version && JSON.stringify({ version, totalBytes, compression });
}
