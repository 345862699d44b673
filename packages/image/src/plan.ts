import { type Digest, formatChecksum, isForgeable, MillraceError } from '@millrace/core';
import {
  documentOfHeaders,
  type FileSignature,
  type MetalinkDocument,
  type MirrorHeaders,
  parseMetalink,
  type Selection,
  type SelectOptions,
  selectSources,
} from '@millrace/metalink';
import { FetchFault } from './errors.ts';
import type { ImageRequest } from './types.ts';
import type { PieceDigests } from './verify/piece-check.ts';

export interface PlannedSource {
  readonly url: string;
  readonly location?: string;
  readonly priority?: number;
  /** 1-based; sources of the same rank are equally good and may be used together. */
  readonly rank: number;
  readonly maxConnections?: number;
}

/** What a fetch works through: where from, in which order, and what the bytes must be. */
export interface FetchPlan {
  readonly metalink: boolean;
  /** Best first, at least one. */
  readonly sources: readonly PlannedSource[];
  readonly expectedDigest: Digest | undefined;
  readonly expectedBytes: number | undefined;
  /** Digests of the pieces of the file. */
  readonly pieces: PieceDigests | undefined;
  /** True when they are worth as much as the digest: both are the metalink's own, and none of them can be forged. */
  readonly piecesSuffice: boolean;
  /** The metalink's own, of the file. */
  readonly signature: FileSignature | undefined;
  /** True once the answer's headers have been asked for other places that have the file. */
  readonly mirrorsKnown: boolean;
  readonly warnings: readonly string[];
}

/** A metalink may list 2000 mirrors: whoever is 64 times out of luck is not helped by more of them. */
export const mostSources = 64;

/** The plan before anything has been asked: the URL is the image, until its bytes say that it is a metalink. */
export function directPlan(request: ImageRequest): FetchPlan {
  return {
    metalink: false,
    sources: [{ url: request.url, rank: 1 }],
    expectedDigest: request.expectedDigest,
    expectedBytes: undefined,
    pieces: undefined,
    piecesSuffice: false,
    signature: undefined,
    mirrorsKnown: false,
    warnings: [],
  };
}

/**
 * The plan that a metalink makes. A digest in the request is trusted more than the metalink's.
 * @throws FetchFault `METALINK_UNUSABLE` with the reason
 */
export function metalinkPlan(request: ImageRequest, text: Uint8Array): FetchPlan {
  const wanted = request.wantedFile === undefined ? {} : { wantedFile: request.wantedFile };
  const names = { wantedName: wantedName(request.url), ...wanted };
  return { ...planOf(request, () => parseMetalink(text), names), metalink: true };
}

/** The plan that the headers of an answer make, which tell of mirrors and of the file's digest (RFC 6249). */
export function mirrorPlan(request: ImageRequest, headers: MirrorHeaders): FetchPlan {
  return { ...planOf(request, () => documentOfHeaders(request.url, headers), {}), metalink: false };
}

function planOf(
  request: ImageRequest,
  read: () => MetalinkDocument,
  names: Pick<SelectOptions, 'wantedName' | 'wantedFile'>,
): Omit<FetchPlan, 'metalink'> {
  const selection = select(request, read, names);
  const { expectedDigest } = request;
  const warnings = [...selection.warnings];
  if (selection.sources.length > mostSources) {
    warnings.push(`${selection.sources.length} sources are listed, the best ${mostSources} are used`);
  }
  const same = selection.digests.find(({ algorithm }) => algorithm === expectedDigest?.algorithm);
  if (expectedDigest && same && same.hex !== expectedDigest.hex) {
    warnings.push(`listed is ${formatChecksum(same)}, which is not the checksum that was asked for`);
  }
  const { pieces, strongestDigest } = selection;
  return {
    sources: selection.sources.slice(0, mostSources),
    expectedDigest: expectedDigest ?? strongestDigest,
    expectedBytes: selection.sizeBytes,
    pieces,
    piecesSuffice:
      expectedDigest === undefined &&
      pieces !== undefined &&
      strongestDigest !== undefined &&
      !isForgeable(pieces.algorithm) &&
      !isForgeable(strongestDigest.algorithm),
    signature: selection.signature,
    mirrorsKnown: true,
    warnings,
  };
}

function select(
  request: ImageRequest,
  read: () => MetalinkDocument,
  names: Pick<SelectOptions, 'wantedName' | 'wantedFile'>,
): Selection {
  const { location, limits } = request;
  try {
    return selectSources(read(), { location, sourceOrder: limits.sourceOrder, ...names });
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    throw new FetchFault('METALINK_UNUSABLE', error.message, { cause: error });
  }
}

/** `…/debian.qcow2.metalink` is about `debian.qcow2`. */
function wantedName(url: string): string {
  const last = new URL(url).pathname.split('/').at(-1) ?? '';
  const name = last.replace(/\.(metalink|meta4)$/i, '');
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
