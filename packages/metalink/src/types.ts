import type { Digest, DigestAlgorithm } from '@millrace/core';

/** A metalink as it was written, cleaned of what is malformed. Nothing is chosen yet: `selectSources` does that. */
export interface MetalinkDocument {
  readonly version: 3 | 4;
  readonly files: readonly MetalinkFile[];
  /** What was dropped, and why. Bounded; URLs in it are redacted. */
  readonly warnings: readonly string[];
}

export interface MetalinkFile {
  readonly name: string;
  readonly sizeBytes?: number;
  /** Digests of the whole file, never of pieces. */
  readonly digests: readonly Digest[];
  /** One entry for each `<pieces>` that is well-formed; whether it fits the size is for `selectSources` to say. */
  readonly pieces: readonly PieceDigests[];
  readonly signature?: FileSignature;
  /** Version 3: how many connections are welcome to all sources together. */
  readonly maxConnections?: number;
  /** As listed. */
  readonly sources: readonly MetalinkSource[];
}

/** Digests of the consecutive parts of a file. All have `lengthBytes`, only the last may be shorter. */
export interface PieceDigests {
  readonly algorithm: DigestAlgorithm;
  readonly lengthBytes: number;
  /** In the order of the file, lower-case. */
  readonly hexDigests: readonly string[];
}

/** A detached signature of the file that an entry describes, not of the metalink (RFC 5854 §4.2.13). */
export interface FileSignature {
  /** Lower-case; `application/pgp-signature` for OpenPGP, also where version 3 says `pgp`. */
  readonly mediaType: string;
  /** As written: ASCII armour in the case of OpenPGP. */
  readonly text: string;
}

export interface MetalinkSource {
  readonly url: string;
  /** As written, lower-cased; usually an ISO 3166 country code, for an operator any label. */
  readonly location?: string;
  /** Version 4: 1 is best, 999999 worst. */
  readonly priority?: number;
  /** Version 3: 100 is best, 0 worst. */
  readonly preference?: number;
  /** Lower-case; the protocol, or what the URL leads to where that is not the file itself (`bittorrent`). Version 3. */
  readonly type?: string;
  /** How many connections the mirror allows. Version 3. */
  readonly maxConnections?: number;
}
