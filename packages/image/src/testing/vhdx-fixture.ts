import { crc32cWithout } from '../inspect/crc32c.ts';
import { guid } from '../inspect/guid.ts';

/** Builds VHDX files, so that each field can be made hostile on its own. */
export interface VhdxFields {
  readonly magic?: string;
  readonly headers?: readonly [VhdxHeader, VhdxHeader];
  readonly regions?: readonly VhdxEntry[];
  /** How many regions the table says it has. */
  readonly regionCount?: number;
  readonly regionTableChecksum?: number;
  readonly copyDiffers?: boolean;
  readonly metadataMagic?: string;
  readonly items?: readonly VhdxEntry[];
  readonly itemCount?: number;
  readonly blockBytes?: number;
  readonly parameterFlags?: number;
  readonly virtualSize?: bigint;
  readonly sectorBytes?: number;
  readonly blocks?: readonly bigint[];
}

export interface VhdxHeader {
  readonly sequence?: bigint;
  readonly log?: boolean;
  readonly version?: number;
  readonly checksum?: number;
  readonly magic?: string;
}

export interface VhdxEntry {
  readonly id: string;
  readonly offset: number;
  readonly bytes: number;
  readonly required?: boolean;
}

const kib = 1024;
const mib = 1024 * kib;
export const vhdxSize: bigint = BigInt(2 * mib);

export const vhdxRegions = {
  blocks: { id: '2DC27766-F623-4200-9D64-115E9BFD4A08', offset: 2 * mib, bytes: mib, required: true },
  metadata: { id: '8B7CA206-4790-4B9A-B8FE-575F050F886E', offset: 3 * mib, bytes: mib, required: true },
} as const;

export const vhdxItems = {
  parameters: { id: 'CAA16737-FA36-4D43-B3B6-33F0AA44E76B', offset: 64 * kib, bytes: 8, required: true },
  size: { id: '2FA54224-CD1B-4876-B211-5DBED83BF4B8', offset: 64 * kib + 8, bytes: 8, required: true },
  page83: { id: 'BECA12AB-B2E6-4523-93EF-C309E000C746', offset: 64 * kib + 16, bytes: 16, required: true },
  sector: { id: '8141BF1D-A96F-4709-BA47-F233A8FAAB5F', offset: 64 * kib + 32, bytes: 4, required: true },
  physical: { id: 'CDA348C7-445D-4471-9CC9-E9885251C556', offset: 64 * kib + 36, bytes: 4, required: true },
  parent: { id: 'A8D35F2D-B30B-454D-ABF7-D3D84834AB0C', offset: 64 * kib + 64, bytes: 64, required: true },
} as const;

/** Five MiB: headers and region tables, the log, the block table, metadata, one of two blocks. QEMU would open it. */
export function vhdxFile(fields: VhdxFields = {}): Buffer {
  const file = Buffer.alloc(5 * mib);
  file.write(fields.magic ?? 'vhdxfile', 'latin1');
  const [one, two] = fields.headers ?? [{ sequence: 1n }, { sequence: 2n }];
  writeHeader(file.subarray(64 * kib, 68 * kib), one);
  writeHeader(file.subarray(128 * kib, 132 * kib), two);
  const table = file.subarray(192 * kib, 256 * kib);
  const regions = fields.regions ?? [vhdxRegions.blocks, vhdxRegions.metadata];
  table.write('regi', 'latin1');
  table.writeUInt32LE(fields.regionCount ?? regions.length, 8);
  for (const [index, region] of regions.entries()) {
    const at = 16 + index * 32;
    table.write(guid(region.id), at, 'hex');
    table.writeBigUInt64LE(BigInt(region.offset), at + 16);
    table.writeUInt32LE(region.bytes, at + 24);
    table.writeUInt32LE(region.required ? 1 : 0, at + 28);
  }
  table.writeUInt32LE(fields.regionTableChecksum ?? crc32cWithout(table, 4), 4);
  table.copy(file, 256 * kib);
  if (fields.copyDiffers) file[256 * kib + 100] = 1;
  writeMetadata(file.subarray(3 * mib), fields);
  for (const [index, block] of (fields.blocks ?? [(4n << 20n) | 6n, 0n]).entries()) {
    file.writeBigUInt64LE(block, vhdxRegions.blocks.offset + index * 8);
  }
  return file;
}

function writeHeader(header: Buffer, fields: VhdxHeader): void {
  header.write(fields.magic ?? 'head', 'latin1');
  header.writeBigUInt64LE(fields.sequence ?? 1n, 8);
  if (fields.log) header.fill(0xab, 48, 64);
  header.writeUInt16LE(fields.version ?? 1, 66);
  header.writeUInt32LE(mib, 68);
  header.writeBigUInt64LE(BigInt(mib), 72);
  header.writeUInt32LE(fields.checksum ?? crc32cWithout(header, 4), 4);
}

function writeMetadata(region: Buffer, fields: VhdxFields): void {
  const { parameters, size, page83, sector, physical } = vhdxItems;
  const items = fields.items ?? [parameters, size, page83, sector, physical];
  region.write(fields.metadataMagic ?? 'metadata', 'latin1');
  region.writeUInt16LE(fields.itemCount ?? items.length, 10);
  for (const [index, item] of items.entries()) {
    const at = 32 * (index + 1);
    region.write(guid(item.id), at, 'hex');
    region.writeUInt32LE(item.offset, at + 16);
    region.writeUInt32LE(item.bytes, at + 20);
    region.writeUInt32LE(item.required ? 4 : 0, at + 24);
  }
  region.writeUInt32LE(fields.blockBytes ?? mib, parameters.offset);
  region.writeUInt32LE(fields.parameterFlags ?? 0, parameters.offset + 4);
  region.writeBigUInt64LE(fields.virtualSize ?? vhdxSize, size.offset);
  region.writeUInt32LE(fields.sectorBytes ?? 512, sector.offset);
  region.writeUInt32LE(512, physical.offset);
}
