import type { Digest } from '@millrace/core';

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
  /** As listed. */
  readonly sources: readonly MetalinkSource[];
}

export interface MetalinkSource {
  readonly url: string;
  /** As written, lower-cased; usually an ISO 3166 country code, for an operator any label. */
  readonly location?: string;
  /** Version 4: 1 is best, 999999 worst. */
  readonly priority?: number;
  /** Version 3: 100 is best, 0 worst. */
  readonly preference?: number;
  /** Version 3: the protocol. */
  readonly type?: string;
  /** Version 3: how many connections the mirror allows. */
  readonly maxConnections?: number;
}
