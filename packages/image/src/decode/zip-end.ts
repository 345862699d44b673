import type { ByteReader } from './byte-reader.ts';
import { archiveBroken, archiveUnsupported } from './stage.ts';
import {
  type LocalHeader,
  type MemberFacts,
  readCentralHeader,
  readNumber64,
  saturated16,
  saturated32,
  signatures,
} from './zip-records.ts';

/** A member as it was found in passing. */
export interface SeenMember {
  readonly header: LocalHeader;
  readonly facts: MemberFacts;
}

const methodNumbers = { stored: 0, deflated: 8 } as const;
/** Descriptor and language flags may differ in the directory, as some writers have it; those that change bytes may not. */
const flagsThatMatter = (1 << 0) | (1 << 5) | (1 << 6) | (1 << 13);
const mostExtraBytes = 65_536;

/**
 * Reads what follows the members, from behind the first signature of the central directory on, and requires that it
 * describes exactly the members that were seen and ends the file. A reader that goes by the directory, as most do, thus
 * sees the same file.
 * @throws FetchFault `ARCHIVE_BROKEN`, `ARCHIVE_UNSUPPORTED`; InputEnded
 */
export async function checkZipEnd(reader: ByteReader, members: readonly SeenMember[]): Promise<void> {
  const start = reader.position - 4;
  const missing = new Map(members.map((member) => [member.header.offset, member]));
  let signature: number = signatures.centralHeader;
  while (signature === signatures.centralHeader) {
    const entry = await readCentralHeader(reader);
    const member = missing.get(entry.offset);
    const same =
      member !== undefined &&
      entry.name.equals(member.header.name) &&
      entry.method === methodNumbers[member.header.method] &&
      (entry.flags & flagsThatMatter) === 0 &&
      entry.crc === member.facts.crc &&
      entry.packedBytes === member.facts.packedBytes &&
      entry.plainBytes === member.facts.plainBytes;
    if (!same) throw disagreement();
    missing.delete(entry.offset);
    signature = (await reader.take(4)).readUInt32LE();
  }
  if (missing.size > 0) throw disagreement();
  const directory = { start, bytes: reader.position - 4 - start, entries: members.length };
  const wide = signature === signatures.zip64End;
  if (wide) {
    await checkZip64End(reader, directory);
    signature = (await reader.take(4)).readUInt32LE();
  }
  if (signature !== signatures.end) throw archiveUnsupported('zip', 'an unknown record before its end');
  await checkEnd(reader, directory, wide);
}

interface Directory {
  readonly start: number;
  readonly bytes: number;
  readonly entries: number;
}

/** The zip64 end record, whose signature has been taken, and its locator. */
async function checkZip64End(reader: ByteReader, directory: Directory): Promise<void> {
  const start = reader.position - 4;
  const length = readNumber64(await reader.take(8), 0);
  if (length < 44 || length > 44 + mostExtraBytes) throw disagreement();
  const record = await reader.take(length);
  // from behind the length: versions 2 + 2, disk 4, disk of the directory 4, entries here 8, in all 8, size 8, offset 8
  const agrees =
    record.readUInt32LE(4) === 0 &&
    record.readUInt32LE(8) === 0 &&
    readNumber64(record, 12) === directory.entries &&
    readNumber64(record, 20) === directory.entries &&
    readNumber64(record, 28) === directory.bytes &&
    readNumber64(record, 36) === directory.start;
  if (!agrees) throw disagreement();
  const locator = await reader.take(20);
  const located =
    locator.readUInt32LE(0) === signatures.zip64Locator &&
    locator.readUInt32LE(4) === 0 &&
    readNumber64(locator, 8) === start &&
    locator.readUInt32LE(16) === 1;
  if (!located) throw disagreement();
}

/** The end record, whose signature has been taken. Its comment is the last of the file. */
async function checkEnd(reader: ByteReader, directory: Directory, wide: boolean): Promise<void> {
  const record = await reader.take(18);
  const is = (found: number, expected: number, saturated: number) =>
    found === expected || (wide && found === saturated);
  const agrees =
    is(record.readUInt16LE(0), 0, saturated16) &&
    is(record.readUInt16LE(2), 0, saturated16) &&
    is(record.readUInt16LE(4), directory.entries, saturated16) &&
    is(record.readUInt16LE(6), directory.entries, saturated16) &&
    is(record.readUInt32LE(8), directory.bytes, saturated32) &&
    is(record.readUInt32LE(12), directory.start, saturated32);
  if (!agrees) throw disagreement();
  await reader.take(record.readUInt16LE(16));
  if ((await reader.some(1)) !== undefined) throw archiveBroken('zip', 'bytes after the end of the archive');
}

function disagreement() {
  return archiveBroken('zip', 'its directory does not describe what is in it');
}
