import { FetchFault } from '../errors.ts';
import { judgeQcow2Header } from '../inspect/qcow2-header.ts';
import { type ClusterMap, readClusterMap } from '../map/cluster-map.ts';
import { peekBody, readWithin } from '../source/peek.ts';
import { checkSame } from '../transfer/same-source.ts';
import type { Beginning } from './begin.ts';
import type { RoundDeps } from './deps.ts';

/**
 * Where the clusters of the image that is about to be fetched belong, when a pool of raw images wants it and its tables
 * can be read ahead. `undefined`: it is fetched as it is.
 * @throws FetchFault of the source, or of tables that are broken
 */
export async function mapAhead(deps: RoundDeps, beginning: Beginning): Promise<ClusterMap | undefined> {
  const { request } = deps;
  const { findings, head, totalBytes, inParts } = beginning;
  if (request.storeFormat !== 'raw' || findings?.format !== 'qcow2') return undefined;
  if (!inParts || totalBytes === undefined) return undefined;
  const header = judgeQcow2Header(head, request.limits.maxVirtualSizeBytes);
  return readClusterMap(head, header, totalBytes, (position, length) =>
    readPart(deps, { ...beginning, totalBytes }, position, length),
  );
}

async function readPart(
  { client, plan, options }: RoundDeps,
  { trying, totalBytes, opened }: Beginning & { readonly totalBytes: number },
  position: number,
  length: number,
): Promise<Buffer> {
  const { url } = trying.spot.source;
  const part = await client.open(url, {
    range: { first: position, last: position + length - 1 },
    signal: options.signal,
  });
  try {
    const requiredValidator = plan.expectedDigest ? undefined : opened.validator;
    checkSame(part, { totalBytes, requiredValidator });
    const bytes = await readWithin(await peekBody(part.body, 1), length);
    if (bytes?.length !== length) throw new FetchFault('TRANSFER_CUT', 'in the middle of a table');
    return bytes;
  } finally {
    part.close();
  }
}
