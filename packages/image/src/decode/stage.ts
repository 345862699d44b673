import { FetchFault } from '../errors.ts';
import type { Compression } from '../types.ts';

export interface DecodeOptions {
  readonly signal: AbortSignal;
  /** True: the input is only the beginning of a file, so that its end must not be complained about. */
  readonly partial?: boolean;
}

export function archiveBroken(compression: Compression, found: string, cause?: unknown): FetchFault {
  return new FetchFault('ARCHIVE_BROKEN', `${compression}: ${found}`, cause === undefined ? {} : { cause });
}
