import { FetchFault } from '../errors.ts';
import {
  type BoundedImage,
  boundedImage,
  boundedNumber,
  headerInvalid,
  isPowerOfTwo,
  isZero,
  judgeVirtualSize,
} from './bounded-image.ts';
import type { ReadAt } from './qcow2-tables.ts';

/** Sizes and places of Microsoft's "Virtual Hard Disk Image Format Specification" 1.0. All numbers are big-endian. */
const sectorBytes = 512;
const dynamicHeaderBytes = 1024;
const diskType = { fixed: 2, dynamic: 3, differencing: 4 } as const;
const nowhere = 0xffff_ffff_ffff_ffffn;
const unusedBlock = 0xffff_ffff;
const smallestBlockBytes = 4096;
const largestBlockBytes = 256 * 1024 * 1024;
const tablePartBytes = 64 * 1024;

/**
 * Judges a whole VHD: a footer with the right checksum at its end, and for a dynamic disk a copy of it at the beginning, a
 * header with the right checksum, and blocks that lie within the file. A disk that is only the difference to another one
 * is refused.
 * @returns its virtual size in bytes
 * @throws FetchFault with the reason of the refusal
 */
export async function judgeVhd(
  file: { readonly sizeBytes: number; readonly read: ReadAt },
  maxVirtualSizeBytes: number,
  signal: AbortSignal,
): Promise<number> {
  const image = boundedImage(file);
  const footer = await image.read(file.sizeBytes - sectorBytes, sectorBytes, 'the footer');
  if (!isVhdFooter(footer)) throw new FetchFault('IMAGE_TRUNCATED', 'there is no footer at its end');
  const first = await image.read(0, sectorBytes, 'the first sector');
  const { type, virtualSizeBytes, headerOffset } = judgeVhdFooter(footer, maxVirtualSizeBytes);
  if (type === 'dynamic') {
    // programs read one or the other
    if (!first.equals(footer)) throw headerInvalid('its two footers differ');
    await judgeDynamic(image, { virtualSizeBytes, headerOffset }, signal);
    return virtualSizeBytes;
  }
  if (isVhdFooter(first)) throw headerInvalid('a fixed disk with a footer at its beginning');
  if (file.sizeBytes < virtualSizeBytes + sectorBytes) {
    throw new FetchFault('IMAGE_TRUNCATED', `${file.sizeBytes} bytes of a disk of ${virtualSizeBytes}`);
  }
  if (file.sizeBytes !== virtualSizeBytes + sectorBytes) throw headerInvalid('more bytes than the disk has');
  return virtualSizeBytes;
}

export function isVhdFooter(sector: Buffer): boolean {
  return sector.toString('latin1', 0, 8) === 'conectix';
}

export interface VhdFooter {
  readonly type: 'fixed' | 'dynamic';
  readonly virtualSizeBytes: number;
  readonly headerOffset: bigint;
}

/** Judges a footer, or the copy that a dynamic disk begins with. @throws FetchFault with the reason of the refusal */
export function judgeVhdFooter(footer: Buffer, maxVirtualSizeBytes: number): VhdFooter {
  if (footer.length < sectorBytes || !isVhdFooter(footer)) throw headerInvalid('no VHD footer');
  if (footer.readUInt32BE(64) !== checksum(footer.subarray(0, sectorBytes), 64)) {
    throw headerInvalid('the checksum of the footer is wrong');
  }
  if (footer.readUInt32BE(12) >>> 16 !== 1) throw headerInvalid('a VHD of another version than 1');
  const type = footer.readUInt32BE(60);
  if (type === diskType.differencing) throw new FetchFault('IMAGE_BACKING_FILE', 'a differencing VHD');
  if (type !== diskType.fixed && type !== diskType.dynamic) throw headerInvalid(`a VHD of type ${type}`);
  if (footer.readUInt8(84) !== 0) throw new FetchFault('IMAGE_SNAPSHOTS', 'the state of a running machine');
  const size = footer.readBigUInt64BE(48);
  if (size % BigInt(sectorBytes) !== 0n) throw headerInvalid('half a sector');
  // some programs, QEMU for one, take the size from the geometry when they do not know who wrote the disk
  const geometry = BigInt(
    footer.readUInt16BE(56) * footer.readUInt8(58) * footer.readUInt8(59) * sectorBytes,
  );
  judgeVirtualSize(geometry > size ? geometry : size, maxVirtualSizeBytes);
  return {
    type: type === diskType.fixed ? 'fixed' : 'dynamic',
    virtualSizeBytes: judgeVirtualSize(size, maxVirtualSizeBytes),
    headerOffset: footer.readBigUInt64BE(16),
  };
}

async function judgeDynamic(
  image: BoundedImage,
  disk: { readonly virtualSizeBytes: number; readonly headerOffset: bigint },
  signal: AbortSignal,
): Promise<void> {
  const offset = boundedNumber(disk.headerOffset, 'a header');
  const header = await image.read(offset, dynamicHeaderBytes, 'the dynamic header');
  if (header.toString('latin1', 0, 8) !== 'cxsparse') throw headerInvalid('no dynamic header');
  if (header.readUInt32BE(36) !== checksum(header, 36)) {
    throw headerInvalid('the checksum of the dynamic header is wrong');
  }
  if (header.readUInt32BE(24) >>> 16 !== 1) throw headerInvalid('a dynamic header of another version than 1');
  if (header.readBigUInt64BE(8) !== nowhere) throw headerInvalid('something behind the dynamic header');
  // identity of the parent, when it was changed, its name, and where else it may be found
  const parent = [header.subarray(40, 60), header.subarray(64, 768)];
  if (!parent.every(isZero)) throw new FetchFault('IMAGE_BACKING_FILE', 'a parent is named');
  const entries = header.readUInt32BE(28);
  const blockBytes = header.readUInt32BE(32);
  if (!isPowerOfTwo(blockBytes) || blockBytes < smallestBlockBytes || blockBytes > largestBlockBytes) {
    throw headerInvalid(`blocks of ${blockBytes} bytes`);
  }
  const needed = Math.ceil(disk.virtualSizeBytes / blockBytes);
  if (entries < needed) throw headerInvalid(`a table of ${entries} blocks where ${needed} are needed`);
  const table = boundedNumber(header.readBigUInt64BE(16), 'a block table');
  await judgeBlocks(image, { table, entries, blockBytes }, signal);
}

async function judgeBlocks(
  image: BoundedImage,
  {
    table,
    entries,
    blockBytes,
  }: { readonly table: number; readonly entries: number; readonly blockBytes: number },
  signal: AbortSignal,
): Promise<void> {
  image.within(table, entries * 4, 'the block table');
  const bitmapBytes = Math.ceil(blockBytes / sectorBytes / 8 / sectorBytes) * sectorBytes;
  for (let at = 0; at < entries * 4; at += tablePartBytes) {
    signal.throwIfAborted();
    const part = await image.read(table + at, Math.min(tablePartBytes, entries * 4 - at), 'the block table');
    for (let entry = 0; entry < part.length; entry += 4) {
      const sector = part.readUInt32BE(entry);
      // the bitmap and at least the beginning: the last block of a disk need not be whole
      if (sector !== unusedBlock) image.within(sector * sectorBytes, bitmapBytes + sectorBytes, 'a block');
    }
  }
}

/** The ones' complement of the sum of all bytes but those of the checksum itself. */
function checksum(bytes: Buffer, at: number): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index++) {
    if (index < at || index >= at + 4) sum += bytes[index]!;
  }
  return ~sum >>> 0;
}
