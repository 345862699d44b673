import { type Digest, formatChecksum, MillraceError } from '@millrace/core';
import { isForgeable, parseMetalink, type Selection, selectSources } from '@millrace/metalink';
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
    warnings: [],
  };
}

/**
 * The plan that a metalink makes. A digest in the request is trusted more than the metalink's.
 * @throws FetchFault `METALINK_UNUSABLE` with the reason
 */
export function metalinkPlan(request: ImageRequest, text: Uint8Array): FetchPlan {
  const selection = select(request, text);
  const warnings = [...selection.warnings];
  if (selection.sources.length > mostSources) {
    warnings.push(`the metalink lists ${selection.sources.length} sources, the best ${mostSources} are used`);
  }
  const same = selection.digests.find(({ algorithm }) => algorithm === request.expectedDigest?.algorithm);
  if (request.expectedDigest && same && same.hex !== request.expectedDigest.hex) {
    warnings.push(`the metalink gives ${formatChecksum(same)}, which is not the checksum that was asked for`);
  }
  return {
    metalink: true,
    sources: selection.sources
      .slice(0, mostSources)
      .map(({ url, location, priority, rank, maxConnections }) => ({
        url,
        rank,
        ...(location === undefined ? {} : { location }),
        ...(priority === undefined ? {} : { priority }),
        ...(maxConnections === undefined ? {} : { maxConnections }),
      })),
    expectedDigest: request.expectedDigest ?? selection.strongestDigest,
    expectedBytes: selection.sizeBytes,
    pieces: selection.pieces,
    piecesSuffice:
      request.expectedDigest === undefined &&
      selection.pieces !== undefined &&
      selection.strongestDigest !== undefined &&
      !isForgeable(selection.pieces.algorithm) &&
      !isForgeable(selection.strongestDigest.algorithm),
    warnings,
  };
}

function select(request: ImageRequest, text: Uint8Array): Selection {
  try {
    return selectSources(parseMetalink(text), {
      location: request.location,
      sourceOrder: request.limits.sourceOrder,
      wantedName: wantedName(request.url),
      ...(request.wantedFile === undefined ? {} : { wantedFile: request.wantedFile }),
    });
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
