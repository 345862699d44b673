import { FetchFault } from '../errors.ts';
import type { Qcow2Header } from '../inspect/qcow2-header.ts';
import type { ReadAt } from '../inspect/qcow2-tables.ts';
import { pageBytes } from '../memory/slab-pool.ts';

/** Where the clusters of a qcow2 file belong in the disk that it describes. */
export interface ClusterMap {
  readonly virtualSizeBytes: number;
  readonly clusterBytes: number;
  /** By the number of the cluster in the file: that of the cluster of the disk, or -1. */
  readonly places: Int32Array;
  /** The parts of the file that the map was made from, to be found again in the bytes that are verified. */
  readonly tables: readonly Table[];
}

export interface Table {
  readonly position: number;
  readonly bytes: Buffer;
}

const offsetMask = 0x00ff_ffff_ffff_fe00n;
const compressedFlag = 1n << 62n;
const zeroFlag = 1n;
/** 2 TiB at the usual cluster size. What has more is converted, which takes longer and no memory. */
const mostTables = 4096;

/**
 * Reads the tables of a qcow2 image by parts, ahead of everything else.
 * @returns `undefined` when it has something that a plain copy of clusters cannot express: compressed clusters, clusters
 * used twice, clusters smaller than a page
 * @throws FetchFault `IMAGE_TRUNCATED`, `IMAGE_HEADER_INVALID`, and what reading throws
 */
export async function readClusterMap(
  head: Buffer,
  header: Qcow2Header,
  sizeBytes: number,
  read: ReadAt,
): Promise<ClusterMap | undefined> {
  const clusterBytes = 2 ** header.clusterBits;
  if (clusterBytes < pageBytes || sizeBytes / clusterBytes > 2 ** 31) return undefined;
  const readTable = async (position: number, length: number): Promise<Table> => {
    if (position + length > sizeBytes) throw new FetchFault('IMAGE_TRUNCATED', `a table at ${position}`);
    const bytes = await read(position, length);
    if (bytes.length < length) throw new FetchFault('IMAGE_TRUNCATED', `a table at ${position}`);
    return { position, bytes };
  };
  const l1 = await readTable(header.l1Offset, header.l1Entries * 8);
  const tables: Table[] = [{ position: 0, bytes: Buffer.from(head) }, l1];
  const places = new Int32Array(Math.ceil(sizeBytes / clusterBytes)).fill(-1);
  const diskClusters = Math.ceil(header.virtualSizeBytes / clusterBytes);
  const perTable = clusterBytes / 8;
  const used = new Set<number>();
  for (let index = 0; index < header.l1Entries; index++) {
    const offset = Number(l1.bytes.readBigUInt64BE(index * 8) & offsetMask);
    if (offset === 0) continue;
    if (offset % clusterBytes !== 0) throw new FetchFault('IMAGE_HEADER_INVALID', `an L2 table at ${offset}`);
    if (used.has(offset) || used.size >= mostTables) return undefined;
    used.add(offset);
    const table = await readTable(offset, clusterBytes);
    tables.push(table);
    const first = index * perTable;
    if (!placeClusters(table.bytes, { first, diskClusters, clusterBytes, places })) return undefined;
  }
  return { virtualSizeBytes: header.virtualSizeBytes, clusterBytes, places, tables };
}

function placeClusters(
  table: Buffer,
  disk: {
    readonly first: number;
    readonly diskClusters: number;
    readonly clusterBytes: number;
    readonly places: Int32Array;
  },
): boolean {
  const { first, diskClusters, clusterBytes, places } = disk;
  for (let at = 0; at < table.length / 8; at++) {
    const entry = table.readBigUInt64BE(at * 8);
    if (entry === 0n) continue;
    if (entry & compressedFlag) return false;
    const offset = Number(entry & offsetMask);
    if (offset === 0 || entry & zeroFlag) continue;
    const cluster = offset / clusterBytes;
    if (!Number.isInteger(cluster)) throw new FetchFault('IMAGE_HEADER_INVALID', `a cluster at ${offset}`);
    if (cluster >= places.length) throw new FetchFault('IMAGE_TRUNCATED', `a cluster at ${offset}`);
    // beyond the end of the disk there is nothing to be read
    if (first + at >= diskClusters) continue;
    if (places[cluster] !== -1) return false;
    places[cluster] = first + at;
  }
  return true;
}
