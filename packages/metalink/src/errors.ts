import { MillraceError } from '@millrace/core';

/** Every code this package throws, about metalinks and lists of checksums, with what happened and what to do next. */
export const metalinkErrors = {
  METALINK_MALFORMED: {
    summary: 'the metalink is not well-formed, or is no metalink',
    nextStep: 'validate the file with any XML tool, or ask whoever publishes it for a correct one',
  },
  METALINK_DOCTYPE: {
    summary: 'the metalink has a DOCTYPE, which no metalink needs and which is a way to attack its reader',
    nextStep: 'remove the DOCTYPE declaration from the metalink',
  },
  METALINK_TOO_LARGE: {
    summary:
      'the metalink exceeds a limit: 8 MiB, 110000 elements, 64 files, 2000 URLs, 1000 digests, 16 levels of nesting',
    nextStep:
      'publish a metalink that lists only the image and the mirrors that matter, in fewer and longer pieces',
  },
  METALINK_UNSAFE_NAME: {
    summary: 'a file name in the metalink points outside of the directory it is downloaded to',
    nextStep: 'treat the metalink as hostile, or have its publisher use plain file names',
  },
  METALINK_AMBIGUOUS: {
    summary: 'the metalink describes several files and none of them is clearly the image',
    nextStep: 'use a metalink of one file, or name it like the image: NAME.metalink for the file NAME',
  },
  METALINK_FILE_MISSING: {
    summary: 'the metalink does not describe the file that was asked for',
    nextStep: 'ask for one of the files that it describes',
  },
  METALINK_NO_SOURCE: {
    summary: 'the metalink lists no source that can be used',
    nextStep: 'add at least one http, https, nfs or s3 URL of the image to the metalink',
  },
  CHECKSUM_LIST_MALFORMED: {
    summary: 'the file is no list of checksums',
    nextStep: 'give the URL of a file such as SHA256SUMS, of at most 1 MiB, as sha256sum writes it',
  },
  CHECKSUM_ENTRY_MISSING: {
    summary: 'the list has no checksum for this file',
    nextStep: 'check that the list belongs to the image; names must be equal, in upper and lower case too',
  },
  CHECKSUM_ENTRY_AMBIGUOUS: {
    summary: 'the list has several different checksums for this file',
    nextStep: 'give the checksum itself as {ALGORITHM}hex',
  },
} as const satisfies Record<string, { readonly summary: string; readonly nextStep: string }>;

export type MetalinkErrorCode = keyof typeof metalinkErrors;

/** A MillraceError of this registry: its summary, followed by what exactly was found. */
export function metalinkError(code: MetalinkErrorCode, found: string, cause?: unknown): MillraceError {
  const { summary } = metalinkErrors[code];
  return new MillraceError(code, `${summary} (${found})`, cause === undefined ? {} : { cause });
}
