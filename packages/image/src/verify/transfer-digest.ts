import { createHash } from 'node:crypto';
import { type Digest, type DigestAlgorithm, digestAlgorithms } from '@millrace/core';
import { FetchFault } from '../errors.ts';

/** Digest of the bytes as they are transferred, before anything is unpacked. */
export interface TransferDigest {
  update(chunk: Buffer): void;
  /** To be called once, after the last byte. */
  finish(): Digest;
}

export function makeTransferDigest(algorithm: DigestAlgorithm): TransferDigest {
  const hash = createHash(digestAlgorithms[algorithm].nodeName);
  return {
    update: (chunk) => {
      hash.update(chunk);
    },
    finish: () => ({ algorithm, hex: hash.digest('hex') }),
  };
}

/** @throws FetchFault `DIGEST_MISMATCH` with what was received, so that it shows when two hosts saw the same bytes. */
export function checkDigest(actual: Digest, expected: Digest | undefined): void {
  if (expected === undefined || actual.hex === expected.hex) return;
  throw new FetchFault('DIGEST_MISMATCH', `${actual.algorithm} is ${actual.hex}, expected ${expected.hex}`, {
    received: actual,
  });
}
