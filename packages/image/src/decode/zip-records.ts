import { type ByteReader, InputEnded } from './byte-reader.ts';
import { archiveBroken, archiveUnsupported, leadsOutside, quoteName } from './stage.ts';

/** The records of a zip file, by the section of PKWARE's APPNOTE 6.3.10 that defines them. All numbers are little-endian. */
export const signatures = {
  /** 4.3.7 */
  localHeader: 0x04034b50,
  /** 4.3.9.3 */
  dataDescriptor: 0x08074b50,
  /** 4.3.12 */
  centralHeader: 0x02014b50,
  /** 4.3.14 */
  zip64End: 0x06064b50,
  /** 4.3.15 */
  zip64Locator: 0x07064b50,
  /** 4.3.16 */
  end: 0x06054b50,
} as const;

export const saturated16 = 0xffff;
export const saturated32 = 0xffff_ffff;

export const wrongFacts = 'the checksum or the size of its member is wrong';

/** Says that the sizes and the checksum follow the data instead of preceding it. */
const flagDescriptor = 1 << 3;
const flagsRefused: readonly (readonly [mask: number, what: string])[] = [
  [(1 << 0) | (1 << 6) | (1 << 13), 'it is encrypted'],
  [1 << 5, 'it is a patch to a file'],
];
const methods: Readonly<Record<number, 'stored' | 'deflated'>> = { 0: 'stored', 8: 'deflated' };

export interface LocalHeader {
  readonly offset: number;
  readonly name: Buffer;
  readonly flags: number;
  readonly method: 'stored' | 'deflated';
  readonly isDirectory: boolean;
  /** `undefined`: told by a data descriptor behind the data. */
  readonly announced: MemberFacts | undefined;
}

export interface MemberFacts {
  readonly crc: number;
  readonly packedBytes: number;
  readonly plainBytes: number;
}

/**
 * Reads a local header whose signature has been taken.
 * @throws FetchFault `ARCHIVE_UNSUPPORTED` for what is not unpacked here, `ARCHIVE_BROKEN`
 */
export async function readLocalHeader(reader: ByteReader): Promise<LocalHeader> {
  const offset = reader.position - 4;
  const fixed = await reader.take(26);
  const flags = fixed.readUInt16LE(2);
  const name = await reader.take(fixed.readUInt16LE(22));
  const extra = await reader.take(fixed.readUInt16LE(24));
  const shown = quoteName(name.toString('utf8'));
  for (const [mask, what] of flagsRefused) {
    if (flags & mask) throw archiveUnsupported('zip', `${what}: ${shown}`);
  }
  const method = methods[fixed.readUInt16LE(4)];
  if (method === undefined) {
    throw archiveUnsupported(
      'zip',
      `${shown} is packed by method ${fixed.readUInt16LE(4)}, only 0 and 8 are known`,
    );
  }
  if (name.length === 0 || leadsOutside(name.toString('latin1'))) {
    throw archiveUnsupported('zip', `a member's name leads out of the archive: ${shown}`);
  }
  const isDirectory = name.at(-1) === 0x2f;
  const header = { offset, name, flags, method, isDirectory };
  if (flags & flagDescriptor) {
    // where such data ends is written nowhere: only the central directory, far behind, would know
    if (method === 'stored' && !isDirectory)
      throw archiveUnsupported('zip', `${shown} is stored without its size`);
    return { ...header, announced: undefined };
  }
  const sizes = [fixed.readUInt32LE(18), fixed.readUInt32LE(14)];
  const [plainBytes, packedBytes] = widen(sizes, extra) as [number, number];
  return { ...header, announced: { crc: fixed.readUInt32LE(10), packedBytes, plainBytes } };
}

export interface CentralHeader extends MemberFacts {
  readonly offset: number;
  readonly name: Buffer;
  readonly flags: number;
  readonly method: number;
}

/** Reads an entry of the central directory whose signature has been taken. @throws FetchFault */
export async function readCentralHeader(reader: ByteReader): Promise<CentralHeader> {
  const fixed = await reader.take(42);
  const name = await reader.take(fixed.readUInt16LE(24));
  const extra = await reader.take(fixed.readUInt16LE(26));
  await reader.take(fixed.readUInt16LE(28));
  const madeOnUnix = fixed.readUInt8(1) === 3;
  const fileType = (fixed.readUInt32LE(34) >>> 28) & 0xf;
  // 0: the writer did not say; 1: a pipe, as Info-ZIP calls what it read from its input; 4: a directory; 8: a regular
  // file; what is left are links and devices
  if (madeOnUnix && ![0, 1, 4, 8].includes(fileType)) {
    throw archiveUnsupported('zip', `no regular file: ${quoteName(name.toString('utf8'))}`);
  }
  const [plainBytes, packedBytes, offset] = widen(
    [fixed.readUInt32LE(20), fixed.readUInt32LE(16), fixed.readUInt32LE(38)],
    extra,
  ) as [number, number, number];
  return {
    name,
    flags: fixed.readUInt16LE(4),
    method: fixed.readUInt16LE(6),
    crc: fixed.readUInt32LE(12),
    packedBytes,
    plainBytes,
    offset,
  };
}

/** Replaces each saturated number by the next of the zip64 extra field, where they stand in the same order (4.5.3). */
function widen(numbers: readonly number[], extra: Buffer): number[] {
  if (!numbers.includes(saturated32)) return [...numbers];
  const wide = zip64Field(extra);
  let at = 0;
  return numbers.map((number) => {
    if (number !== saturated32) return number;
    if (at + 8 > wide.length) throw archiveBroken('zip', 'a size is missing from the zip64 field');
    at += 8;
    return readNumber64(wide, at - 8);
  });
}

function zip64Field(extra: Buffer): Buffer {
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === 0x0001) return extra.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
  return Buffer.alloc(0);
}

export function readNumber64(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw archiveBroken('zip', 'a size that no file of this world has');
  return Number(value);
}

/**
 * Takes the data descriptor behind a member (4.3.9): with or without a signature, with sizes of 4 or of 8 bytes, which no
 * field tells. What it must say is known by now, so it is one of four byte strings or wrong.
 */
export async function takeDataDescriptor(reader: ByteReader, facts: MemberFacts): Promise<void> {
  const narrow = Buffer.alloc(12);
  const wide = Buffer.alloc(20);
  narrow.writeUInt32LE(facts.crc, 0);
  wide.writeUInt32LE(facts.crc, 0);
  wide.writeBigUInt64LE(BigInt(facts.packedBytes), 4);
  wide.writeBigUInt64LE(BigInt(facts.plainBytes), 12);
  const fits32 = facts.packedBytes < saturated32 && facts.plainBytes < saturated32;
  if (fits32) {
    narrow.writeUInt32LE(facts.packedBytes, 4);
    narrow.writeUInt32LE(facts.plainBytes, 8);
  }
  const signature = Buffer.alloc(4);
  signature.writeUInt32LE(signatures.dataDescriptor);
  // longest first: of an empty member the short form is a beginning of the long one
  const forms = [Buffer.concat([signature, wide]), wide];
  if (fits32) forms.splice(1, 0, Buffer.concat([signature, narrow]));
  if (fits32) forms.push(narrow);
  const seen = await takeUpTo(reader, 24);
  const form = forms.find((bytes) => seen.subarray(0, bytes.length).equals(bytes));
  if (form === undefined && seen.length < 24) throw new InputEnded('in a data descriptor');
  if (form === undefined) throw archiveBroken('zip', wrongFacts);
  reader.unread(seen.subarray(form.length));
}

/** So many bytes, or those that are left. */
async function takeUpTo(reader: ByteReader, most: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let missing = most; missing > 0; ) {
    const part = await reader.some(missing);
    if (part === undefined) break;
    parts.push(part);
    missing -= part.length;
  }
  return Buffer.concat(parts);
}
