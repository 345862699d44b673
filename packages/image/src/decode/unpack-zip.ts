import { constants, crc32, createInflateRaw } from 'node:zlib';
import { type ByteReader, InputEnded, makeByteReader } from './byte-reader.ts';
import { archiveBroken, archiveUnsupported, type DecodeOptions } from './stage.ts';
import { checkZipEnd, type SeenMember } from './zip-end.ts';
import {
  type LocalHeader,
  type MemberFacts,
  readLocalHeader,
  signatures,
  takeDataDescriptor,
  wrongFacts,
} from './zip-records.ts';
import { unpackFrame } from './zlib-decoder.ts';

/** Directories beside the image: nobody needs more, and each is remembered until the end. */
const mostMembers = 1000;
const outputChunkBytes = 256 * 1024;

/**
 * Unpacks a zip file that holds one file, in one pass: stored or deflated, zip64 or not, with its sizes before or behind
 * the data. Directories beside it are passed over. Everything is checked twice, against the header (or descriptor) of
 * the member and against the central directory, which must end the file.
 *
 * An own parser, as the known ones begin at the end of the file, and a stream has none until it is over.
 * @throws FetchFault `ARCHIVE_UNSUPPORTED` (encrypted, several files, a link, a name that leads outside, other methods),
 * `ARCHIVE_BROKEN`; whatever the input throws
 */
export async function* unpackZip(
  input: AsyncIterable<Buffer>,
  options: DecodeOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const reader = makeByteReader(input);
  try {
    yield* unpackMembers(reader, options);
  } catch (error) {
    if (!(error instanceof InputEnded)) throw error;
    if (!options.partial) throw archiveBroken('zip', 'it ends too early', error);
  } finally {
    reader.close();
  }
}

async function* unpackMembers(reader: ByteReader, { partial }: DecodeOptions): AsyncGenerator<Buffer> {
  const members: SeenMember[] = [];
  let files = 0;
  while (true) {
    const signature = (await reader.take(4)).readUInt32LE();
    if (signature === signatures.centralHeader && files > 0) break;
    if (signature === signatures.centralHeader || signature === signatures.end) {
      throw archiveUnsupported('zip', 'there is no file in it');
    }
    if (signature !== signatures.localHeader) throw archiveBroken('zip', 'a header expected, none found');
    const header = await readLocalHeader(reader);
    if (!header.isDirectory) files++;
    if (files > 1) throw archiveUnsupported('zip', 'more than one file in it');
    if (members.length >= mostMembers) throw archiveUnsupported('zip', `more than ${mostMembers} members`);
    members.push({ header, facts: yield* unpackMember(reader, header, partial ?? false) });
  }
  await checkZipEnd(reader, members);
}

/** Yields what a member holds, and returns what it turned out to be once that agrees with what its own header says. */
async function* unpackMember(
  reader: ByteReader,
  header: LocalHeader,
  partial: boolean,
): AsyncGenerator<Buffer, MemberFacts> {
  const { announced } = header;
  const start = reader.position;
  const mostPlainBytes = header.isDirectory ? 0 : (announced?.plainBytes ?? Number.MAX_SAFE_INTEGER);
  let plainBytes = 0;
  let crc = 0;
  const content =
    header.method === 'stored' ? copy(reader, announced?.packedBytes ?? 0) : inflate(reader, partial);
  for await (const chunk of content) {
    plainBytes += chunk.length;
    if (plainBytes > mostPlainBytes) throw archiveBroken('zip', wrongFacts);
    crc = crc32(chunk, crc);
    yield chunk;
  }
  const facts = { crc, packedBytes: reader.position - start, plainBytes };
  if (announced === undefined) await takeDataDescriptor(reader, facts);
  else if (
    announced.crc !== facts.crc ||
    announced.packedBytes !== facts.packedBytes ||
    announced.plainBytes !== facts.plainBytes
  ) {
    // of the beginning of a file it is no wonder
    if (partial) throw new InputEnded('in the data of a member');
    throw archiveBroken('zip', wrongFacts);
  }
  return facts;
}

async function* copy(reader: ByteReader, length: number): AsyncGenerator<Buffer> {
  for (let missing = length; missing > 0; ) {
    const chunk = await reader.some(missing);
    if (chunk === undefined) throw new InputEnded('in the data of a member');
    missing -= chunk.length;
    yield chunk;
  }
}

async function* inflate(reader: ByteReader, partial: boolean): AsyncGenerator<Buffer> {
  const unpacker = createInflateRaw({
    chunkSize: outputChunkBytes,
    ...(partial ? { finishFlush: constants.Z_SYNC_FLUSH } : {}),
  });
  const chunks = {
    async next(): Promise<IteratorResult<Buffer>> {
      const value = await reader.some();
      return value === undefined ? { done: true, value: undefined } : { done: false, value };
    },
  };
  const rest = yield* unpackFrame('zip', unpacker, chunks);
  if (rest !== undefined) reader.unread(rest);
}
