import { crc32, deflateRawSync } from 'node:zlib';

/** Builds zip files record by record, so that each field can be made wrong on its own. */
export interface ZipMember {
  readonly name?: string;
  readonly content?: Buffer;
  readonly method?: number;
  /** What stands in the file instead of the packed content. */
  readonly packed?: Buffer;
  readonly flags?: number;
  /** Sizes and checksum behind the data; `wide`: with 8 bytes each, `bare`: without a signature. */
  readonly descriptor?: 'narrow' | 'wide' | 'bare' | 'bare-wide';
  /** Sizes in a zip64 field, in both headers. */
  readonly zip64?: boolean;
  readonly crc?: number;
  readonly plainBytes?: number;
  readonly packedBytes?: number;
  /** Mode and type of the file as Unix has them. */
  readonly unixMode?: number;
  /** What the directory says where it differs. */
  readonly central?: {
    readonly crc?: number;
    readonly plainBytes?: number;
    readonly name?: string;
    readonly offset?: number;
    readonly method?: number;
  };
}

export interface ZipShape {
  readonly members?: readonly ZipMember[];
  readonly zip64End?: boolean;
  readonly comment?: string;
  readonly after?: Buffer;
  readonly beforeEnd?: Buffer;
  /** Entries of the directory that are left out. */
  readonly omitEntries?: number;
  readonly end?: { readonly entries?: number; readonly start?: number; readonly bytes?: number };
  readonly zip64?: { readonly entries?: number; readonly locator?: number };
}

export const zipContent: Buffer = Buffer.from('an image '.repeat(300));

export function zipFile(shape: ZipShape = {}): Buffer {
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const member of shape.members ?? [{}]) {
    const { local, entry } = zipMember(member, offset);
    parts.push(local);
    entries.push(entry);
    offset += local.length;
  }
  const written = entries.slice(0, entries.length - (shape.omitEntries ?? 0));
  const directory = Buffer.concat(written);
  const facts = {
    entries: shape.end?.entries ?? written.length,
    start: shape.end?.start ?? offset,
    bytes: shape.end?.bytes ?? directory.length,
  };
  parts.push(directory, shape.beforeEnd ?? Buffer.alloc(0));
  if (shape.zip64End) parts.push(zip64End(facts, offset + directory.length, shape.zip64));
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(shape.zip64End ? 0xffff : facts.entries, 8);
  end.writeUInt16LE(shape.zip64End ? 0xffff : facts.entries, 10);
  end.writeUInt32LE(shape.zip64End ? 0xffffffff : facts.bytes, 12);
  end.writeUInt32LE(shape.zip64End ? 0xffffffff : facts.start, 16);
  const comment = Buffer.from(shape.comment ?? '');
  end.writeUInt16LE(comment.length, 20);
  parts.push(end, comment, shape.after ?? Buffer.alloc(0));
  return Buffer.concat(parts);
}

function zipMember(member: ZipMember, offset: number): { local: Buffer; entry: Buffer } {
  const content = member.content ?? zipContent;
  const method = member.method ?? 8;
  const packed = member.packed ?? (method === 8 ? deflateRawSync(content) : content);
  const facts = {
    crc: member.crc ?? crc32(content),
    plainBytes: member.plainBytes ?? content.length,
    packedBytes: member.packedBytes ?? packed.length,
  };
  const flags = (member.flags ?? 0) | (member.descriptor ? 8 : 0);
  const name = Buffer.from(member.name ?? 'image.raw');
  const local = Buffer.alloc(30);
  local.write('PK\x03\x04', 'latin1');
  local.writeUInt16LE(20, 4);
  local.writeUInt16LE(flags, 6);
  local.writeUInt16LE(method, 8);
  const localExtra = writeSizes(local, { crc: 14, packed: 18, plain: 22 }, facts, member);
  local.writeUInt16LE(name.length, 26);
  local.writeUInt16LE(localExtra.length, 28);

  const entry = Buffer.alloc(46);
  const central = member.central ?? {};
  const centralName = Buffer.from(central.name ?? name);
  entry.write('PK\x01\x02', 'latin1');
  entry.writeUInt16LE(20 | (3 << 8), 4);
  entry.writeUInt16LE(flags, 8);
  entry.writeUInt16LE(central.method ?? method, 10);
  const told = {
    ...facts,
    crc: central.crc ?? facts.crc,
    plainBytes: central.plainBytes ?? facts.plainBytes,
  };
  const { descriptor: _, ...undescribed } = member;
  const entryExtra = writeSizes(entry, { crc: 16, packed: 20, plain: 24 }, told, undescribed);
  entry.writeUInt16LE(centralName.length, 28);
  entry.writeUInt16LE(entryExtra.length, 30);
  entry.writeUInt32LE(((member.unixMode ?? 0o100644) << 16) >>> 0, 38);
  entry.writeUInt32LE(central.offset ?? offset, 42);
  return {
    local: Buffer.concat([local, name, localExtra, packed, descriptorOf(member, facts)]),
    entry: Buffer.concat([entry, centralName, entryExtra]),
  };
}

interface Facts {
  readonly crc: number;
  readonly plainBytes: number;
  readonly packedBytes: number;
}

/** Writes the sizes where a header has them and returns its extra field. */
function writeSizes(
  header: Buffer,
  at: { readonly crc: number; readonly packed: number; readonly plain: number },
  facts: Facts,
  { descriptor, zip64 }: ZipMember,
): Buffer {
  header.writeUInt32LE(descriptor ? 0 : facts.crc, at.crc);
  header.writeUInt32LE(zip64 ? 0xffffffff : descriptor ? 0 : facts.packedBytes, at.packed);
  header.writeUInt32LE(zip64 ? 0xffffffff : descriptor ? 0 : facts.plainBytes, at.plain);
  // another field first: a reader must not take the first that comes
  const other = Buffer.from([0x55, 0x54, 1, 0, 0]);
  if (!zip64) return other;
  const field = Buffer.alloc(20);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(16, 2);
  field.writeBigUInt64LE(BigInt(descriptor ? 0 : facts.plainBytes), 4);
  field.writeBigUInt64LE(BigInt(descriptor ? 0 : facts.packedBytes), 12);
  return Buffer.concat([other, field]);
}

function descriptorOf({ descriptor }: ZipMember, facts: Facts): Buffer {
  if (!descriptor) return Buffer.alloc(0);
  const signature = descriptor.startsWith('bare') ? Buffer.alloc(0) : Buffer.from('PK\x07\x08', 'latin1');
  const wide = descriptor.endsWith('wide');
  const fields = Buffer.alloc(wide ? 20 : 12);
  fields.writeUInt32LE(facts.crc, 0);
  if (wide) {
    fields.writeBigUInt64LE(BigInt(facts.packedBytes), 4);
    fields.writeBigUInt64LE(BigInt(facts.plainBytes), 12);
  } else {
    fields.writeUInt32LE(facts.packedBytes, 4);
    fields.writeUInt32LE(facts.plainBytes, 8);
  }
  return Buffer.concat([signature, fields]);
}

function zip64End(
  facts: { readonly entries: number; readonly start: number; readonly bytes: number },
  at: number,
  change: ZipShape['zip64'] = {},
): Buffer {
  const record = Buffer.alloc(56 + 20);
  record.write('PK\x06\x06', 'latin1');
  record.writeBigUInt64LE(44n, 4);
  record.writeUInt16LE(45, 12);
  record.writeUInt16LE(45, 14);
  record.writeBigUInt64LE(BigInt(change.entries ?? facts.entries), 24);
  record.writeBigUInt64LE(BigInt(change.entries ?? facts.entries), 32);
  record.writeBigUInt64LE(BigInt(facts.bytes), 40);
  record.writeBigUInt64LE(BigInt(facts.start), 48);
  record.write('PK\x06\x07', 56, 'latin1');
  record.writeBigUInt64LE(BigInt(change.locator ?? at), 64);
  record.writeUInt32LE(1, 72);
  return record;
}
