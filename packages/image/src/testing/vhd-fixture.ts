/** Builds VHD files, so that each field can be made hostile on its own. */
export interface VhdFields {
  readonly type?: number;
  readonly version?: number;
  readonly currentSize?: bigint;
  readonly cylinders?: number;
  readonly savedState?: number;
  readonly checksum?: number;
  readonly headerOffset?: bigint;
  readonly header?: {
    readonly magic?: string;
    readonly next?: bigint;
    readonly table?: bigint;
    readonly version?: number;
    readonly entries?: number;
    readonly blockBytes?: number;
    readonly checksum?: number;
    /** Bytes from this offset of the header on. */
    readonly at?: readonly [offset: number, bytes: Buffer];
  };
  readonly blocks?: readonly number[];
}

const sector = 512;
const blockBytes = 2 * 1024 * 1024;
export const vhdSize: bigint = BigInt(2 * blockBytes);

/** Footer, dynamic header, a table of two blocks of which the first is there, footer. QEMU would open it. */
export function dynamicVhd(fields: VhdFields = {}): Buffer {
  const footer = vhdFooter({ type: 3, headerOffset: BigInt(sector), ...fields });
  const header = Buffer.alloc(1024);
  const change = fields.header ?? {};
  header.write(change.magic ?? 'cxsparse', 'latin1');
  header.writeBigUInt64BE(change.next ?? 2n ** 64n - 1n, 8);
  header.writeBigUInt64BE(change.table ?? BigInt(3 * sector), 16);
  header.writeUInt32BE(change.version ?? 0x00010000, 24);
  header.writeUInt32BE(change.entries ?? 2, 28);
  header.writeUInt32BE(change.blockBytes ?? blockBytes, 32);
  if (change.at) change.at[1].copy(header, change.at[0]);
  header.writeUInt32BE(change.checksum ?? checksumOf(header), 36);
  const table = Buffer.alloc(sector, 0xff);
  for (const [index, block] of (fields.blocks ?? [4]).entries()) table.writeUInt32BE(block, index * 4);
  const block = Buffer.alloc(sector + blockBytes);
  return Buffer.concat([footer, header, table, block, footer]);
}

/** A disk of 4 MiB and a footer behind it. */
export function fixedVhd(fields: VhdFields = {}): Buffer {
  return Buffer.concat([Buffer.alloc(Number(vhdSize)), vhdFooter({ type: 2, ...fields })]);
}

export function vhdFooter(fields: VhdFields = {}): Buffer {
  const footer = Buffer.alloc(sector);
  footer.write('conectix', 'latin1');
  footer.writeUInt32BE(2, 8);
  footer.writeUInt32BE(fields.version ?? 0x00010000, 12);
  footer.writeBigUInt64BE(fields.headerOffset ?? 2n ** 64n - 1n, 16);
  footer.write('qem2', 28, 'latin1');
  footer.writeBigUInt64BE(fields.currentSize ?? vhdSize, 40);
  footer.writeBigUInt64BE(fields.currentSize ?? vhdSize, 48);
  footer.writeUInt16BE(fields.cylinders ?? 120, 56);
  footer.writeUInt8(4, 58);
  footer.writeUInt8(17, 59);
  footer.writeUInt32BE(fields.type ?? 2, 60);
  footer.writeUInt8(fields.savedState ?? 0, 84);
  footer.writeUInt32BE(fields.checksum ?? checksumOf(footer), 64);
  return footer;
}

/** With the field of the checksum still zero. */
function checksumOf(bytes: Buffer): number {
  return ~bytes.reduce((sum, byte) => sum + byte, 0) >>> 0;
}
