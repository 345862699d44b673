import type { Digest } from '@millrace/core';
import { FetchFault } from '../errors.ts';

/** @throws FetchFault `DIGEST_MISMATCH` with what was received, so that it shows when two hosts saw the same bytes. */
export function checkDigest(actual: Digest | undefined, expected: Digest | undefined): void {
  if (actual === undefined || expected === undefined || actual.hex === expected.hex) return;
  throw new FetchFault('DIGEST_MISMATCH', `${actual.algorithm} is ${actual.hex}, expected ${expected.hex}`, {
    received: actual,
  });
}
