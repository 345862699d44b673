import { MillraceError } from './error.ts';

/** Algorithms of CloudStack's `{ALG}hex` checksums with the length of their digest in hex characters, weakest first. */
export const digestAlgorithms = {
  MD5: { hexLength: 32, nodeName: 'md5' },
  'SHA-1': { hexLength: 40, nodeName: 'sha1' },
  'SHA-224': { hexLength: 56, nodeName: 'sha224' },
  'SHA-256': { hexLength: 64, nodeName: 'sha256' },
  'SHA-384': { hexLength: 96, nodeName: 'sha384' },
  'SHA-512': { hexLength: 128, nodeName: 'sha512' },
} as const;

export type DigestAlgorithm = keyof typeof digestAlgorithms;

/** An expected or computed digest; `hex` is lower-case. */
export interface Digest {
  readonly algorithm: DigestAlgorithm;
  readonly hex: string;
}

const names = Object.keys(digestAlgorithms) as DigestAlgorithm[];

/** Finds the algorithm for the spellings in use: `SHA-256`, `sha256`, `sha_256`. */
export function digestAlgorithmOf(name: string): DigestAlgorithm | undefined {
  const plain = name.toUpperCase().replaceAll(/[-_]/g, '');
  return names.find((candidate) => candidate.replace('-', '') === plain);
}

/**
 * Reads `{ALG}hex` or bare hex, whose length names the algorithm.
 * @throws MillraceError `CHECKSUM_MALFORMED` naming what is wrong.
 */
export function parseChecksum(text: string): Digest {
  const match = /^(?:\{([^}]*)\})?([0-9A-Fa-f]+)$/.exec(text.trim());
  if (!match) throw malformed('expected {ALGORITHM}hex, for example {SHA-256}9f86d0…');
  const hex = match[2]!.toLowerCase();
  const named = match[1];
  const algorithm =
    named === undefined
      ? names.find((name) => digestAlgorithms[name].hexLength === hex.length)
      : digestAlgorithmOf(named);
  if (algorithm === undefined) {
    throw malformed(
      named === undefined
        ? `no digest algorithm has ${hex.length} hex characters`
        : `unknown algorithm ${named}; known are ${names.join(', ')}`,
    );
  }
  const { hexLength } = digestAlgorithms[algorithm];
  if (hex.length !== hexLength)
    throw malformed(`${algorithm} has ${hexLength} hex characters, got ${hex.length}`);
  return { algorithm, hex };
}

/** The canonical spelling, `{SHA-256}9f86…`. */
export function formatChecksum(digest: Digest): string {
  return `{${digest.algorithm}}${digest.hex}`;
}

/** True for algorithms for which other bytes with the same digest can be made. */
export function isForgeable(algorithm: DigestAlgorithm): boolean {
  return algorithm === 'MD5' || algorithm === 'SHA-1';
}

/** The strongest of several digests of the same bytes. */
export function strongestDigest(digests: readonly Digest[]): Digest | undefined {
  return [...digests].sort((a, b) => names.indexOf(b.algorithm) - names.indexOf(a.algorithm))[0];
}

function malformed(rule: string): MillraceError {
  return new MillraceError('CHECKSUM_MALFORMED', `malformed checksum: ${rule}`);
}
