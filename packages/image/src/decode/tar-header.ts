import { archiveBroken, archiveUnsupported, quoteName } from './stage.ts';

/** Headers and data of a tar file come in blocks of this size (POSIX.1-2017 pax, "ustar Interchange Format"). */
export const tarBlockBytes = 512;

const checksumAt = 148;
const checksumBytes = 8;
const magicAt = 257;

export interface TarHeader {
  /** As the header has it; an extended header may have said otherwise. */
  readonly name: string;
  readonly sizeBytes: number;
  /** The letter that says what the member is; NUL, of archives older than POSIX, is given as '0'. */
  readonly type: string;
}

/** True when a file begins with the header of a tar member: `ustar` where POSIX and GNU have it, and a checksum that is right. */
export function isTarHeader(first: Uint8Array): boolean {
  if (first.length < tarBlockBytes) return false;
  const block = Buffer.from(first.buffer, first.byteOffset, tarBlockBytes);
  return block.toString('latin1', magicAt, magicAt + 5) === 'ustar' && hasRightChecksum(block);
}

/** @throws FetchFault `ARCHIVE_BROKEN` */
export function readTarHeader(block: Buffer): TarHeader {
  if (!hasRightChecksum(block)) throw archiveBroken('tar', 'a header expected, none found');
  const posix = block.toString('latin1', magicAt, magicAt + 6) === 'ustar\0';
  const prefix = posix ? textOf(block, 345, 155) : '';
  const name = textOf(block, 0, 100);
  const type = block[156] === 0 ? '0' : String.fromCharCode(block[156]!);
  return { name: prefix === '' ? name : `${prefix}/${name}`, sizeBytes: sizeOf(block), type };
}

function hasRightChecksum(block: Buffer): boolean {
  const stored = octal(block.toString('latin1', checksumAt, checksumAt + checksumBytes));
  // the sum counts its own field as spaces
  let sum = checksumBytes * 0x20;
  for (let at = 0; at < tarBlockBytes; at++) {
    if (at < checksumAt || at >= checksumAt + checksumBytes) sum += block[at]!;
  }
  return stored === sum;
}

/** The size: octal digits, or, of large members, a binary number behind a byte of 0x80, as GNU and star write it. */
function sizeOf(block: Buffer): number {
  const field = block.subarray(124, 136);
  if ((field[0]! & 0x80) === 0) {
    const size = octal(field.toString('latin1'));
    if (size === undefined) throw archiveBroken('tar', 'a header whose size is no number');
    return size;
  }
  const size = BigInt(`0x${field.subarray(1).toString('hex')}`);
  if (field[0] !== 0x80 || size > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw archiveBroken('tar', 'a size that no file of this world has');
  }
  return Number(size);
}

function octal(text: string): number | undefined {
  const digits = /^ *([0-7]*)[ \0]*$/.exec(text)?.[1];
  return digits === undefined ? undefined : Number.parseInt(`0${digits}`, 8);
}

function textOf(block: Buffer, at: number, length: number): string {
  const text = block.toString('utf8', at, at + length);
  const end = text.indexOf('\0');
  return end === -1 ? text : text.slice(0, end);
}

/**
 * Reads the records `LENGTH KEY=VALUE\n` of an extended header.
 * @throws FetchFault `ARCHIVE_BROKEN`
 */
export function readPaxRecords(bytes: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const digits = /^([1-9][0-9]{0,6}) /.exec(bytes.toString('latin1', at, at + 8))?.[1];
    const length = Number(digits ?? 0);
    const record = bytes.toString('utf8', at, at + length);
    const equals = record.indexOf('=');
    if (digits === undefined || at + length > bytes.length || equals === -1 || !record.endsWith('\n')) {
      throw archiveBroken('tar', 'an extended header that cannot be read');
    }
    records.set(record.slice(digits.length + 1, equals), record.slice(equals + 1, -1));
    at += length;
  }
  return records;
}

/** The size that an extended header gives its member, if it does. @throws FetchFault `ARCHIVE_BROKEN` */
export function paxSize(records: ReadonlyMap<string, string>): number | undefined {
  const text = records.get('size');
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,15}$/.test(text)) throw archiveBroken('tar', 'an extended header whose size is no number');
  return Number(text);
}

/** What types of members mean that are never unpacked; whatever is not listed anywhere is refused as unknown. */
const refusedTypes: Readonly<Record<string, string>> = {
  '1': 'a link',
  '2': 'a link',
  '3': 'a device',
  '4': 'a device',
  '6': 'a pipe',
  S: 'a sparse file: pack it without --sparse',
  M: 'a part of an archive on several volumes',
};

export function refuseType(type: string, name: string): never {
  const what = refusedTypes[type] ?? `a member of unknown type ${quoteName(type)}`;
  throw archiveUnsupported('tar', `${quoteName(name)} is ${what}`);
}
