import { FetchFault } from '../errors.ts';
import type { SegmentStore } from '../transfer/transfer.ts';
import type { OpenImage } from '../types.ts';
import type { ClusterMap } from './cluster-map.ts';

/**
 * Writes a qcow2 file as the disk it describes: each cluster of each segment goes to its place, and no copy of the file
 * ever exists. What has been placed cannot be read back as it came.
 */
export function makeMappedStore(image: OpenImage, map: ClusterMap): SegmentStore {
  const { clusterBytes, places, virtualSizeBytes } = map;
  image.setSize(virtualSizeBytes);
  return {
    kept: [],
    note: async () => {},
    async write(position, bytes, options) {
      checkTables(map, position, bytes);
      const writes: Promise<void>[] = [];
      for (const { from, to, place } of runsOf(places, clusterBytes, position, bytes.length)) {
        const run = bytes.subarray(from, Math.min(to, from + virtualSizeBytes - place));
        writes.push(image.write(place, run, options));
      }
      await Promise.all(writes);
    },
  };
}

/**
 * The map was made before anything was verified, from answers of their own: whoever sent other tables there than in the
 * file itself would have the verified bytes put in the wrong places.
 */
function checkTables({ tables }: ClusterMap, position: number, bytes: Buffer): void {
  for (const table of tables) {
    const from = Math.max(position, table.position);
    const to = Math.min(position + bytes.length, table.position + table.bytes.length);
    if (from >= to) continue;
    const same = bytes
      .subarray(from - position, to - position)
      .equals(table.bytes.subarray(from - table.position, to - table.position));
    if (!same) throw new FetchFault('SOURCE_CHANGED', `its tables at ${from} were others before`);
  }
}

interface Run {
  /** Within the segment. */
  readonly from: number;
  readonly to: number;
  /** On the disk. */
  readonly place: number;
}

/** Clusters that lie side by side in the file and on the disk are one run. */
function* runsOf(
  places: Int32Array,
  clusterBytes: number,
  position: number,
  length: number,
): Generator<Run, void, undefined> {
  let run: { from: number; to: number; place: number } | undefined;
  for (let at = 0; at < length; ) {
    const cluster = Math.floor((position + at) / clusterBytes);
    const within = (position + at) % clusterBytes;
    const end = Math.min(length, at + clusterBytes - within);
    const placed = places[cluster] ?? -1;
    if (placed >= 0) {
      const place = placed * clusterBytes + within;
      if (run && run.place + (run.to - run.from) === place && run.to === at) run.to = end;
      else {
        if (run) yield run;
        run = { from: at, to: end, place };
      }
    }
    at = end;
  }
  if (run) yield run;
}
