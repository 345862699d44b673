import { type ByteReader, InputEnded, makeByteReader } from './byte-reader.ts';
import { archiveBroken, archiveUnsupported, type DecodeOptions, leadsOutside, quoteName } from './stage.ts';
import {
  paxSize,
  readPaxRecords,
  readTarHeader,
  refuseType,
  type TarHeader,
  tarBlockBytes,
} from './tar-header.ts';

/** What stands beside a disk in an OVA, or in an archive somebody packed by hand. */
const companionNames = /\.(ovf|mf|cert|pem|nvram|txt|md|json|xml|ya?ml|sha\d+|md5|asc|sig)$/i;
const companionNamesWhole = /^(readme|license|licence|changelog|copying|(sha\d+|md5)sums?)$/i;
/** What macOS adds to every file. */
const appleDouble = /^\._/;
const largestCompanionBytes = 16 * 1024 * 1024;
const mostMembers = 1000;
const longestNameBytes = 4096;
const largestPaxBytes = 64 * 1024;
const plainTypes = '07';

/**
 * Unpacks a tar file or an OVA that holds one disk image, in one pass. The disk is the one regular file that is neither
 * empty nor named like something that accompanies a disk (`.ovf`, `.mf`, `.cert`, `.nvram`, texts, checksums; at most
 * 16 MiB each). Its format is of no interest here: inspection judges the bytes. Two such files are refused, as nobody
 * could say which is meant.
 *
 * An own parser, as the end must be seen: an archive that ends without its two blocks of zeros was cut off, and the
 * second disk may have been what was lost.
 * @throws FetchFault `ARCHIVE_UNSUPPORTED` (several disks, none, links, devices, sparse files), `ARCHIVE_BROKEN`;
 * whatever the input throws
 */
export async function* unpackTar(
  input: AsyncIterable<Buffer>,
  options: DecodeOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const reader = makeByteReader(input);
  try {
    const disk = yield* unpackDisk(reader);
    await expectEnd(reader);
    if (disk === undefined) throw archiveUnsupported('tar', 'there is no disk image in it');
  } catch (error) {
    if (!(error instanceof InputEnded)) throw error;
    if (!options.partial) throw archiveBroken('tar', 'it ends too early', error);
  } finally {
    reader.close();
  }
}

/** Yields the disk, goes over everything else up to the first block of zeros, and returns the name of the disk. */
async function* unpackDisk(reader: ByteReader): AsyncGenerator<Buffer, string | undefined> {
  let disk: string | undefined;
  for (let members = 0; ; members++) {
    const member = await nextMember(reader);
    if (member === undefined) return disk;
    if (members >= mostMembers) throw archiveUnsupported('tar', `more than ${mostMembers} members`);
    const { name, sizeBytes } = member;
    if (isDisk(member)) {
      if (disk !== undefined) {
        const both = `${quoteName(disk)} and ${quoteName(name)}`;
        throw archiveUnsupported('tar', `more than one disk image in it: ${both}`);
      }
      disk = name;
      yield* content(reader, sizeBytes);
    } else for await (const _ of content(reader, sizeBytes));
    await reader.take((tarBlockBytes - (sizeBytes % tarBlockBytes)) % tarBlockBytes);
  }
}

function isDisk({ type, name, sizeBytes }: TarHeader): boolean {
  if (leadsOutside(name)) {
    throw archiveUnsupported('tar', `a member's name leads out of the archive: ${quoteName(name)}`);
  }
  if (type === '5') {
    if (sizeBytes !== 0) throw archiveBroken('tar', 'a directory with a size');
    return false;
  }
  if (!plainTypes.includes(type)) refuseType(type, name);
  const base = name.slice(name.lastIndexOf('/') + 1);
  const named = companionNames.test(base) || companionNamesWhole.test(base) || appleDouble.test(base);
  return sizeBytes > 0 && !(named && sizeBytes <= largestCompanionBytes);
}

async function* content(reader: ByteReader, length: number): AsyncGenerator<Buffer> {
  for (let missing = length; missing > 0; ) {
    const chunk = await reader.some(missing);
    if (chunk === undefined) throw new InputEnded('in the data of a member');
    missing -= chunk.length;
    yield chunk;
  }
}

/** The next member, with what extended headers before it say of it. `undefined` at a block of zeros. */
async function nextMember(reader: ByteReader): Promise<TarHeader | undefined> {
  let name: string | undefined;
  let sizeBytes: number | undefined;
  for (let extensions = 0; extensions <= 4; extensions++) {
    const block = await reader.take(tarBlockBytes);
    if (isZero(block)) {
      if (extensions > 0) throw archiveBroken('tar', 'an extended header without a member');
      return undefined;
    }
    const header = readTarHeader(block);
    if (header.type === 'L') name = textBeforeNul(await extension(reader, header, longestNameBytes));
    // where a link leads is of no interest: links are refused
    else if (header.type === 'K') await extension(reader, header, longestNameBytes);
    else if (header.type === 'x' || header.type === 'g') {
      const records = readPaxRecords(await extension(reader, header, largestPaxBytes));
      for (const key of records.keys()) refuseRecord(key, header.type);
      if (header.type === 'x') {
        name = records.get('path') ?? name;
        sizeBytes = paxSize(records) ?? sizeBytes;
      }
    } else return { ...header, name: name ?? header.name, sizeBytes: sizeBytes ?? header.sizeBytes };
  }
  throw archiveBroken('tar', 'too many extended headers in a row');
}

/** Records that change what the bytes of a member mean; one for all members that would set their size means harm. */
function refuseRecord(key: string, type: 'x' | 'g'): void {
  if (/^(GNU\.sparse|SUN\.holesdata|SCHILY\.(realsize|offset))/.test(key)) {
    throw archiveUnsupported('tar', 'there is a sparse file in it: pack it without --sparse');
  }
  if (type === 'g' && (key === 'size' || key === 'path')) {
    throw archiveUnsupported('tar', `a global extended header that sets every ${key}`);
  }
}

async function extension(reader: ByteReader, header: TarHeader, most: number): Promise<Buffer> {
  if (header.sizeBytes > most) {
    throw archiveUnsupported(
      'tar',
      `an extended header of ${header.sizeBytes} bytes, at most ${most} are read`,
    );
  }
  const padded = Math.ceil(header.sizeBytes / tarBlockBytes) * tarBlockBytes;
  return (await reader.take(padded)).subarray(0, header.sizeBytes);
}

/** The second block of zeros, and then nothing but zeros: tapes, and most programs, pad to a record of 20 blocks. */
async function expectEnd(reader: ByteReader): Promise<void> {
  if (!isZero(await reader.take(tarBlockBytes))) throw archiveBroken('tar', 'bytes after its end');
  for (let rest = await reader.some(); rest !== undefined; rest = await reader.some()) {
    if (!isZero(rest)) throw archiveBroken('tar', 'bytes after the end of the archive');
  }
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

function textBeforeNul(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  const end = text.indexOf('\0');
  return end === -1 ? text : text.slice(0, end);
}
