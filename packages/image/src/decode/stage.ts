import type { Confinement } from '../confine/confinement.ts';
import { FetchFault } from '../errors.ts';
import type { Compression } from '../types.ts';

export interface DecodeOptions {
  readonly signal: AbortSignal;
  /** True: the input is only the beginning of a file, so that its end must not be complained about. */
  readonly partial?: boolean;
  /** How programs are started. Without it that is found out for each of them, which takes 10 ms. */
  readonly confinement?: Confinement | undefined;
}

/** A stage of a pipeline: packed bytes in, plain bytes out. Errors of the input pass through it unchanged. */
export type Decoder = (input: AsyncIterable<Buffer>, options: DecodeOptions) => AsyncIterable<Buffer>;

/** The bytes are not what they should be: damaged, cut off, or with something behind their end. */
export function archiveBroken(compression: Compression, found: string, cause?: unknown): FetchFault {
  return new FetchFault('ARCHIVE_BROKEN', `${compression}: ${found}`, cause === undefined ? {} : { cause });
}

/** The bytes are fine and something that is not unpacked here. */
export function archiveUnsupported(compression: Compression, found: string): FetchFault {
  return new FetchFault('ARCHIVE_UNSUPPORTED', `${compression}: ${found}`);
}

/** A member's name as it may stand in a message: it is whatever the archive's author wrote. */
export function quoteName(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}

/** True for a name that would lead out of a directory. None is ever created by name; such an archive means harm. */
export function leadsOutside(name: string): boolean {
  return /^[/\\]|^[a-z]:|\0/i.test(name) || name.split(/[/\\]/).includes('..');
}
