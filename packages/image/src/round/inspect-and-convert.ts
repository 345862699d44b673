import { convertedBytes, convertImage } from '../convert/convert-image.ts';
import { inspectWhole, isForeign } from '../inspect/inspect-image.ts';
import type { ClusterMap } from '../map/cluster-map.ts';
import type { FetchedImage, ForeignFormat, ImageFormat, OpenImage } from '../types.ts';
import type { RoundDeps } from './deps.ts';

export interface StoredImage {
  readonly format: ImageFormat;
  readonly virtualSizeBytes: number;
  readonly convertedFrom: FetchedImage['convertedFrom'];
}

/**
 * Judges the whole of what was written, and converts it where the pool stores something else; what comes of that is judged
 * like anything else.
 * @throws FetchFault with the reason of a refusal
 */
export async function inspectAndConvert(
  { request, journal, options }: RoundDeps,
  image: OpenImage,
  map: ClusterMap | undefined,
): Promise<StoredImage> {
  const { maxVirtualSizeBytes } = request.limits;
  const inspect = (format: ImageFormat | ForeignFormat | undefined) =>
    inspectWhole(image, { format, maxVirtualSizeBytes }, options.signal);
  journal.enterPhase('inspecting');
  // what was mapped is the disk already
  const found = await inspect(map ? 'raw' : request.format);
  const to =
    isForeign(found.format) || found.format === 'qcow2' ? targetOf(found.format, request) : undefined;
  if (to === undefined) {
    if (isForeign(found.format)) throw new Error('a foreign format is always converted');
    return { ...found, format: found.format, convertedFrom: map ? 'qcow2' : undefined };
  }
  const from = found.format;
  if (from === 'raw' || from === 'iso') throw new Error('nothing else is converted');
  journal.enterPhase('converting');
  const { signal } = options;
  await image.convert({
    async convert(path, output, places) {
      const maxOutputBytes = largestResult(to, found.virtualSizeBytes);
      await convertImage({ path, from, to, output, places, maxOutputBytes, signal });
    },
    resultBytes: (path, places) => convertedBytes({ path, from, places, maxVirtualSizeBytes, signal }),
  });
  journal.enterPhase('inspecting');
  const converted = await inspect(to);
  return { format: to, virtualSizeBytes: converted.virtualSizeBytes, convertedFrom: from };
}

/** What an image of this format becomes; `undefined` when it stays. */
function targetOf(
  format: ForeignFormat | 'qcow2',
  { storeFormat = 'qcow2' }: RoundDeps['request'],
): 'qcow2' | 'raw' | undefined {
  return format === storeFormat ? undefined : storeFormat;
}

/** A qcow2 image of a full disk has tables besides: an entry of 8 bytes and a refcount of 2 for every cluster. */
function largestResult(to: 'qcow2' | 'raw', virtualSizeBytes: number): number {
  return to === 'raw'
    ? virtualSizeBytes
    : virtualSizeBytes + Math.ceil(virtualSizeBytes / 1024) + 8 * 1024 * 1024;
}
