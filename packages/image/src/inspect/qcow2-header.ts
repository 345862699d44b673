import { FetchFault } from '../errors.ts';

/** What is needed of a qcow2 header once it has been found harmless. */
export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly virtualSizeBytes: number;
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
}

export const qcow2Magic = 0x514649fb;

const headerLengthV2 = 72;
const shortestHeaderV3 = 104;
/** Bounds of QEMU itself: no image it accepts is larger in these. */
const largestL1Bytes = 32 * 1024 * 1024;
const largestRefcountTableBytes = 8 * 1024 * 1024;

const incompatible = { corrupt: 1n << 1n, dataFile: 1n << 2n, known: 0b1111n } as const;
const autoclearRawDataFile = 1n << 1n;

const extensions = {
  end: 0,
  backingFormat: 0xe2792aca,
  dataFile: 0x44415441,
  encryption: 0x0537be77,
} as const;

/**
 * Reads and judges a qcow2 header before any other program sees the file. The rules are those of CloudStack's inspector
 * after CVE-2024-50386 (no backing file, no external data file, no unknown incompatible feature), with the fields read
 * where each version has them, and bounds on everything that sizes a table.
 * @param head the first bytes of the file; all of it when it is shorter than 64 KiB
 * @throws FetchFault with the reason of the refusal
 */
export function judgeQcow2Header(head: Buffer, maxVirtualSizeBytes: number): Qcow2Header {
  if (head.length < headerLengthV2 || head.readUInt32BE(0) !== qcow2Magic) throw invalid('no qcow2 header');
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw invalid(`qcow2 version ${version}, only 2 and 3 are known`);
  if (head.readBigUInt64BE(8) !== 0n || head.readUInt32BE(16) !== 0)
    throw new FetchFault('IMAGE_BACKING_FILE', '');
  if (head.readUInt32BE(32) !== 0) throw new FetchFault('IMAGE_ENCRYPTED', '');
  const headerLength = version === 2 ? headerLengthV2 : judgeVersion3(head);
  const clusterBits = head.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21) throw invalid(`clusters of 2^${clusterBits} bytes`);
  if (headerLength > 2 ** clusterBits)
    throw invalid(`a header of ${headerLength} bytes, longer than a cluster`);
  judgeExtensions(head, headerLength, 2 ** clusterBits);
  const snapshots = head.readUInt32BE(60);
  if (snapshots !== 0) throw new FetchFault('IMAGE_SNAPSHOTS', `${snapshots}`);
  return { version, clusterBits, ...judgeSizes(head, 2 ** clusterBits, maxVirtualSizeBytes) };
}

/** Returns the length of the header. A version 2 header ends at byte 72: its next bytes are not feature bits. */
function judgeVersion3(head: Buffer): number {
  if (head.length < shortestHeaderV3) throw invalid('the header is cut off');
  const features = head.readBigUInt64BE(72);
  if (features & incompatible.dataFile) throw new FetchFault('IMAGE_DATA_FILE', '');
  const unknown = features & ~incompatible.known;
  if (unknown !== 0n) {
    const bits = [...unknown.toString(2)].reverse().flatMap((bit, index) => (bit === '1' ? [index] : []));
    throw new FetchFault('IMAGE_FEATURE_UNKNOWN', `incompatible feature bit ${bits.join(', ')}`);
  }
  if (features & incompatible.corrupt) throw new FetchFault('IMAGE_MARKED_CORRUPT', '');
  if (head.readBigUInt64BE(88) & autoclearRawDataFile) throw new FetchFault('IMAGE_DATA_FILE', '');
  const refcountOrder = head.readUInt32BE(96);
  if (refcountOrder > 6) throw invalid(`refcounts of 2^${refcountOrder} bits`);
  const headerLength = head.readUInt32BE(100);
  if (headerLength < shortestHeaderV3 || headerLength % 8 !== 0 || headerLength > head.length) {
    throw invalid(`a header length of ${headerLength}`);
  }
  const compressionType = headerLength > 104 ? head.readUInt8(104) : 0;
  if (compressionType > 1)
    throw new FetchFault('IMAGE_FEATURE_UNKNOWN', `compression type ${compressionType}`);
  return headerLength;
}

/** Walks the header extensions, which lie between the header and the end of the first cluster. */
function judgeExtensions(head: Buffer, headerLength: number, clusterBytes: number): void {
  const end = Math.min(clusterBytes, head.length);
  for (let at = headerLength; at + 8 <= end; ) {
    const type = head.readUInt32BE(at);
    const length = head.readUInt32BE(at + 4);
    if (type === extensions.end) return;
    if (type === extensions.backingFormat) throw new FetchFault('IMAGE_BACKING_FILE', 'its format is named');
    if (type === extensions.dataFile) throw new FetchFault('IMAGE_DATA_FILE', 'its name is given');
    if (type === extensions.encryption) throw new FetchFault('IMAGE_ENCRYPTED', '');
    if (length > end - at - 8) throw invalid('a header extension that ends outside of the header');
    at += 8 + Math.ceil(length / 8) * 8;
  }
  // what lies behind the bytes that are looked at would go unseen
  if (end < clusterBytes) throw invalid('header extensions without an end');
}

function judgeSizes(
  head: Buffer,
  clusterBytes: number,
  maxVirtualSizeBytes: number,
): Omit<Qcow2Header, 'version' | 'clusterBits'> {
  const virtualSize = head.readBigUInt64BE(24);
  if (virtualSize === 0n) throw new FetchFault('IMAGE_EMPTY', 'a virtual size of 0');
  if (virtualSize > BigInt(maxVirtualSizeBytes)) {
    throw new FetchFault('IMAGE_TOO_LARGE', `${virtualSize} bytes, the limit is ${maxVirtualSizeBytes}`);
  }
  const virtualSizeBytes = Number(virtualSize);
  const l1Entries = head.readUInt32BE(36);
  const bytesPerL1Entry = clusterBytes * (clusterBytes / 8);
  const l1Needed = Math.ceil(virtualSizeBytes / bytesPerL1Entry);
  if (l1Entries < l1Needed || l1Entries * 8 > largestL1Bytes) {
    throw invalid(`an L1 table of ${l1Entries} entries where ${l1Needed} are needed`);
  }
  const refcountTableClusters = head.readUInt32BE(56);
  if (refcountTableClusters === 0 || refcountTableClusters * clusterBytes > largestRefcountTableBytes) {
    throw invalid(`a refcount table of ${refcountTableClusters} clusters`);
  }
  return {
    virtualSizeBytes,
    l1Entries,
    l1Offset: offsetOf(head.readBigUInt64BE(40), clusterBytes, 'L1 table'),
    refcountTableOffset: offsetOf(head.readBigUInt64BE(48), clusterBytes, 'refcount table'),
    refcountTableClusters,
  };
}

function offsetOf(offset: bigint, clusterBytes: number, what: string): number {
  if (offset === 0n || offset % BigInt(clusterBytes) !== 0n || offset > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw invalid(`the ${what} at ${offset}`);
  }
  return Number(offset);
}

function invalid(found: string): FetchFault {
  return new FetchFault('IMAGE_HEADER_INVALID', found);
}
