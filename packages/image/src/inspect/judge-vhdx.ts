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
import { crc32cWithout } from './crc32c.ts';
import { guid, guidBytes } from './guid.ts';
import type { ReadAt } from './qcow2-tables.ts';
import { readVhdxMetadata, type VhdxMetadata } from './vhdx-metadata.ts';

/** Sizes and places of [MS-VHDX] 2. All numbers are little-endian. */
const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const headerPlaces = [64 * kibibyte, 128 * kibibyte];
const headerBytes = 4 * kibibyte;
const regionTablePlaces = [192 * kibibyte, 256 * kibibyte] as const;
const regionTableBytes = 64 * kibibyte;
const mostRegions = 2047;
const tablePartBytes = 64 * kibibyte;

const regionIds = {
  blocks: guid('2DC27766-F623-4200-9D64-115E9BFD4A08'),
  metadata: guid('8B7CA206-4790-4B9A-B8FE-575F050F886E'),
};

const smallestBlockBytes = mebibyte;
const largestBlockBytes = 256 * mebibyte;
const blockState = { notPresent: 0, undefined: 1, zero: 2, unmapped: 3, present: 6, partial: 7 } as const;

/**
 * Judges a whole VHDX: headers and region tables with the right checksums, no log that is still to be applied, metadata
 * that knows of no parent, and blocks that lie within the file.
 * @returns its virtual size in bytes
 * @throws FetchFault with the reason of the refusal
 */
export async function judgeVhdx(
  file: { readonly sizeBytes: number; readonly read: ReadAt },
  maxVirtualSizeBytes: number,
  signal: AbortSignal,
): Promise<number> {
  const image = boundedImage(file);
  const identifier = await image.read(0, 8, 'the identifier');
  if (identifier.toString('latin1') !== 'vhdxfile') throw headerInvalid('no VHDX file');
  await judgeHeaders(image);
  const { blocks, metadata } = await readRegions(image);
  const facts = await readVhdxMetadata(image, metadata);
  const virtualSizeBytes = judgeVirtualSize(facts.virtualSize, maxVirtualSizeBytes);
  const { blockBytes } = facts;
  if (!isPowerOfTwo(blockBytes) || blockBytes < smallestBlockBytes || blockBytes > largestBlockBytes) {
    throw headerInvalid(`blocks of ${blockBytes} bytes`);
  }
  if (virtualSizeBytes % facts.sectorBytes !== 0) throw headerInvalid('half a sector');
  await judgeBlocks(image, blocks, { ...facts, virtualSizeBytes }, signal);
  return virtualSizeBytes;
}

/** 2.2.2: of two headers the one with the higher number counts. Its log must be empty: applying it is not for readers. */
async function judgeHeaders(image: BoundedImage): Promise<void> {
  const valid: Buffer[] = [];
  for (const place of headerPlaces) {
    const header = await image.read(place, headerBytes, 'a header');
    const signed = header.toString('latin1', 0, 4) === 'head';
    if (signed && header.readUInt32LE(4) === crc32cWithout(header, 4)) valid.push(header);
  }
  const sequence = (header: Buffer) => header.readBigUInt64LE(8);
  const [one, two] = valid;
  if (one === undefined) throw headerInvalid('both headers are damaged');
  if (two !== undefined && sequence(one) === sequence(two) && !one.equals(two)) {
    throw headerInvalid('two headers of the same number that differ');
  }
  const header = two !== undefined && sequence(two) > sequence(one) ? two : one;
  if (header.readUInt16LE(66) !== 1) throw headerInvalid(`VHDX version ${header.readUInt16LE(66)}`);
  if (!isZero(header.subarray(48, 64))) {
    throw new FetchFault('IMAGE_MARKED_CORRUPT', 'it was not closed: its log is still to be applied');
  }
}

export interface VhdxRegion {
  readonly offset: number;
  readonly bytes: number;
}

/** 2.2.3 */
async function readRegions(image: BoundedImage): Promise<{ blocks: VhdxRegion; metadata: VhdxRegion }> {
  const [table, copy] = (await Promise.all(
    regionTablePlaces.map((place) => image.read(place, regionTableBytes, 'a region table')),
  )) as [Buffer, Buffer];
  if (table.toString('latin1', 0, 4) !== 'regi') throw headerInvalid('no region table');
  if (table.readUInt32LE(4) !== crc32cWithout(table, 4)) {
    throw headerInvalid('the checksum of the region table is wrong');
  }
  // programs read one or the other
  if (!table.equals(copy)) throw headerInvalid('its two region tables differ');
  const entries = table.readUInt32LE(8);
  if (entries > mostRegions) throw headerInvalid(`${entries} regions`);
  const found = new Map<string, VhdxRegion>();
  for (let at = 16; at < 16 + entries * 32; at += 32) {
    const id = table.toString('hex', at, at + guidBytes);
    const known = id === regionIds.blocks || id === regionIds.metadata;
    if (!known) {
      if (table.readUInt32LE(at + 28) & 1) throw new FetchFault('IMAGE_FEATURE_UNKNOWN', `VHDX region ${id}`);
      continue;
    }
    if (found.has(id)) throw headerInvalid('a region twice');
    const region = {
      offset: boundedNumber(table.readBigUInt64LE(at + 16), 'a region'),
      bytes: table.readUInt32LE(at + 24),
    };
    if (region.offset < mebibyte || region.offset % mebibyte !== 0) {
      throw headerInvalid(`a region at ${region.offset}`);
    }
    image.within(region.offset, region.bytes, 'a region');
    found.set(id, region);
  }
  const blocks = found.get(regionIds.blocks);
  const metadata = found.get(regionIds.metadata);
  if (!blocks || !metadata) throw headerInvalid('a region is missing');
  return { blocks, metadata };
}

/** 2.5.1: after the entries of as many blocks as a bitmap covers, there is an entry for the bitmap, used by parents only. */
async function judgeBlocks(
  image: BoundedImage,
  region: VhdxRegion,
  { virtualSizeBytes, blockBytes, sectorBytes }: VhdxMetadata & { readonly virtualSizeBytes: number },
  signal: AbortSignal,
): Promise<void> {
  const blocksPerBitmap = (2 ** 23 * sectorBytes) / blockBytes;
  const blocks = Math.ceil(virtualSizeBytes / blockBytes);
  const entries = blocks + Math.floor((blocks - 1) / blocksPerBitmap);
  if (entries * 8 > region.bytes) {
    throw headerInvalid(`a block table of ${region.bytes} bytes where ${entries * 8} are needed`);
  }
  for (let at = 0; at < entries * 8; at += tablePartBytes) {
    signal.throwIfAborted();
    const length = Math.min(tablePartBytes, entries * 8 - at);
    const part = await image.read(region.offset + at, length, 'the block table');
    for (let entry = 0; entry < length; entry += 8) {
      const index = (at + entry) / 8;
      const isBitmap = index % (blocksPerBitmap + 1) === blocksPerBitmap;
      judgeBlock(image, part.readBigUInt64LE(entry), { isBitmap, blockBytes });
    }
  }
}

function judgeBlock(
  image: BoundedImage,
  entry: bigint,
  { isBitmap, blockBytes }: { readonly isBitmap: boolean; readonly blockBytes: number },
): void {
  const state = Number(entry & 7n);
  if (state === blockState.partial || (isBitmap && state !== blockState.notPresent)) {
    throw new FetchFault('IMAGE_BACKING_FILE', 'a block that is partly in a parent');
  }
  if (state === blockState.present) image.within(Number(entry >> 20n) * mebibyte, blockBytes, 'a block');
  else if (state > blockState.unmapped) throw headerInvalid(`a block in state ${state}`);
}
