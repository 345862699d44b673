import { FetchFault } from '../errors.ts';
import type { Qcow2Header } from './qcow2-header.ts';

/** Reads from an image at a position; fewer bytes only at its end. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>;

const offsetMask = 0x00ff_ffff_ffff_fe00n;
const compressedFlag = 1n << 62n;
const zeroFlag = 1n;
/** A bound on the work a hostile image can cause: 4096 tables cover 2 TiB at the usual cluster size of 64 KiB. */
const mostTablesRead = 4096;

/**
 * Follows the tables of a qcow2 image and requires that every cluster begins within the file: an image whose end was
 * lost before it was published opens without complaint and fails in the guest, hours later.
 * @throws FetchFault `IMAGE_TRUNCATED`
 */
export async function checkQcow2Tables(
  header: Qcow2Header,
  sizeBytes: number,
  read: ReadAt,
  signal: AbortSignal,
): Promise<void> {
  const clusterBytes = 2 ** header.clusterBits;
  const within = (offset: number, length: number, what: string) => {
    if (offset + length > sizeBytes) {
      throw new FetchFault('IMAGE_TRUNCATED', `${what} at ${offset}, the file has ${sizeBytes} bytes`);
    }
  };
  within(header.refcountTableOffset, header.refcountTableClusters * clusterBytes, 'the refcount table');
  within(header.l1Offset, header.l1Entries * 8, 'the L1 table');
  const l1 = await read(header.l1Offset, header.l1Entries * 8);
  const tables = new Set<number>();
  for (let at = 0; at < l1.length; at += 8) {
    const offset = Number(l1.readBigUInt64BE(at) & offsetMask);
    if (offset === 0) continue;
    // tables that overlap would cost far more work than the bytes they take in the file
    if (offset % clusterBytes !== 0) throw new FetchFault('IMAGE_HEADER_INVALID', `an L2 table at ${offset}`);
    within(offset, clusterBytes, 'an L2 table');
    tables.add(offset);
  }
  for (const offset of [...tables].slice(0, mostTablesRead)) {
    signal.throwIfAborted();
    checkL2Table(await read(offset, clusterBytes), header.clusterBits, (cluster) =>
      within(cluster, 1, 'a cluster'),
    );
  }
}

function checkL2Table(table: Buffer, clusterBits: number, check: (offset: number) => void): void {
  // in a compressed entry the bits above the offset say how many sectors the cluster takes
  const compressedMask = (1n << (62n - (BigInt(clusterBits) - 8n))) - 1n;
  for (let at = 0; at < table.length; at += 8) {
    const entry = table.readBigUInt64BE(at);
    if (entry === 0n) continue;
    if (entry & compressedFlag) check(Number(entry & compressedMask));
    else if (!(entry & zeroFlag)) {
      const offset = Number(entry & offsetMask);
      if (offset !== 0) check(offset);
    }
  }
}
