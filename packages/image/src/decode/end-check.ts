import { randomBytes, randomInt } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { archiveBroken } from './stage.ts';
import { zstdFrames } from './zstd-frames.ts';

/** What is unpacked by programs. */
export type ProgramCompression = 'gzip' | 'bzip2' | 'xz' | 'zstd';

/**
 * Notices what a program would let pass in silence. To be shown every byte of the archive, in order, and asked at the end.
 *
 * | program | accepts in silence, where node:zlib refuses | what notices it |
 * |---|---|---|
 * | igzip 2.30 | whatever follows the last member and does not begin with 1f 8b; reserved flags | the suffix; the first header is looked at |
 * | lbzip2 2.5 | whatever follows the last stream, the end of another bzip2 file included | the suffix |
 * | bzip2 1.0.8 | the same, with a remark on stderr | the suffix |
 * | zstd 1.5.4 | gzip, xz and lzma data behind a frame, which it unpacks too | the walk over the frames |
 * | xz 5.4 | nothing: with `--format=xz` it refuses all but padding of four zeros | – |
 *
 * All of them refuse what is cut off, except at the very end of a member, which no decoder can know, and wrong checksums
 * where the format has any. Flags that are reserved in the header of a second gzip member are passed: the bytes of that
 * member are proven by its checksum all the same.
 *
 * **The suffix** is a whole archive of a few known bytes, fed to the program after the last byte of the file. They come out
 * at the end of the output exactly when the program got there: what follows the archive keeps it from the suffix, and
 * what is missing makes it take the suffix for data, which the checksum betrays.
 */
export interface EndCheck {
  /** To be fed to the program after the archive. Empty where nothing needs to be proven this way. */
  readonly suffix: Buffer;
  /** How many bytes the output ends with that are not of the image, and are therefore to be held back: those of the suffix. */
  readonly markBytes: number;
  /** @throws FetchFault `ARCHIVE_BROKEN` */
  update(chunk: Uint8Array): void;
  /** The same for bytes that the program did not want any more, though it ended well. @throws FetchFault `ARCHIVE_BROKEN` */
  updateUnread(chunk: Uint8Array): void;
  /**
   * How many bytes of the output are the image's, once the program has ended well.
   * @param output its length, and its last `markBytes` bytes (fewer when there are no more)
   * @throws FetchFault `ARCHIVE_BROKEN`
   */
  finish(output: { readonly bytes: number; readonly tail: Uint8Array }): number;
}

export function endCheckFor(compression: ProgramCompression): EndCheck {
  switch (compression) {
    case 'gzip':
      return gzipCheck();
    case 'bzip2':
      return bzip2Check();
    case 'zstd':
      return zstdCheck();
    case 'xz':
      return xzCheck();
  }
}

const trailing = 'bytes after the end of the archive';
const empty = 'it is empty';

function isMarked(tail: Uint8Array, mark: Buffer): boolean {
  return mark.equals(tail.subarray(Math.max(0, tail.length - mark.length)));
}

/** RFC 1952 §2.3.1: the upper three flags are reserved and must be zero. */
const reservedFlags = 0xe0;

function gzipCheck(): EndCheck {
  // nobody can have put these into a file beforehand
  const mark = randomBytes(16);
  const end = gzipPadding();
  let position = 0;
  return {
    suffix: gzipSuffix(mark),
    markBytes: mark.length,
    update(chunk) {
      if (position <= 3 && position + chunk.length > 3 && chunk[3 - position]! & reservedFlags) {
        throw archiveBroken('gzip', 'unknown header flags set');
      }
      position += chunk.length;
      end.update(chunk);
    },
    updateUnread(chunk) {
      if (chunk.some((byte) => byte !== 0)) throw archiveBroken('gzip', trailing);
    },
    finish({ bytes, tail }) {
      // of nothing at all, only the suffix was unpacked
      if (position === 0) throw archiveBroken('gzip', empty);
      if (isMarked(tail, mark)) return bytes - mark.length;
      if (!end.followsMemberOf(bytes)) throw archiveBroken('gzip', trailing);
      return bytes;
    },
  };
}

/**
 * A member with a name of random length: one that was cut off inside its header's extra field, as many bytes short as the
 * header of the suffix is long, would swallow that, and the rest would look as if all was well.
 */
function gzipSuffix(mark: Buffer): Buffer {
  const fixedHeaderBytes = 10;
  const hasName = 0x08;
  const member = gzipSync(mark);
  member[3] = hasName;
  const name = Buffer.from(`${randomBytes(randomInt(8, 1024)).toString('hex')}\0`);
  return Buffer.concat([member.subarray(0, fixedHeaderBytes), name, member.subarray(fixedHeaderBytes)]);
}

const trailerBytes = 8;

/**
 * gzip files may be padded with zeros, as on tapes. They keep a program from the suffix, so that such a file is judged by
 * its last member: before the zeros must stand the size of everything that came out. (A padded file of several members is
 * therefore refused, as is one that unpacks to a multiple of 4 GiB, whose size is zeros itself. Bytes among the zeros that
 * repeat the size would pass; the image is proven by the checksum of its member all the same.)
 */
function gzipPadding() {
  /** The last bytes up to the last one that is not zero, and how many zeros follow. */
  let tail = Buffer.alloc(0);
  let zeros = 0;
  return {
    update(chunk: Uint8Array) {
      let end = chunk.length;
      while (end > 0 && chunk[end - 1] === 0) end--;
      if (end > 0) {
        const before = Buffer.concat([tail, Buffer.alloc(Math.min(zeros, trailerBytes))]);
        const last = chunk.subarray(Math.max(0, end - trailerBytes), end);
        tail = Buffer.concat([before, last]).subarray(-trailerBytes);
        zeros = 0;
      }
      zeros += chunk.length - end;
    },
    followsMemberOf(plainBytes: number): boolean {
      const size = plainBytes % 2 ** 32;
      if (zeros === 0 || size === 0) return false;
      // how many of the zeros are the upper bytes of the size is told by the size
      const field = Buffer.alloc(4);
      field.writeUInt32LE(size);
      const length = field.findLastIndex((byte) => byte !== 0) + 1;
      return zeros > 4 - length && tail.subarray(-length).equals(field.subarray(0, length));
    },
  };
}

/** A bzip2 file of the 28 bytes `Millrace: end of the archive\n`. There is nothing here that could pack random ones. */
const bzip2Suffix = Buffer.from(
  '425a6839314159265359870335550000035d8000104000001000022f659500200031434d300051b4988608b80ac0e518a2ddd2ac4eeae189c8fe2ee48a70a1210e066aaa',
  'hex',
);
const bzip2Mark = Buffer.from('Millrace: end of the archive\n');

function bzip2Check(): EndCheck {
  let isEmpty = true;
  return {
    suffix: bzip2Suffix,
    markBytes: bzip2Mark.length,
    update() {
      isEmpty = false;
    },
    updateUnread() {
      throw archiveBroken('bzip2', trailing);
    },
    finish({ bytes, tail }) {
      if (isEmpty) throw archiveBroken('bzip2', empty);
      if (!isMarked(tail, bzip2Mark)) throw archiveBroken('bzip2', trailing);
      return bytes - bzip2Mark.length;
    },
  };
}

function zstdCheck(): EndCheck {
  const frames = zstdFrames();
  return {
    suffix: Buffer.alloc(0),
    markBytes: 0,
    update: frames.update,
    updateUnread() {
      throw archiveBroken('zstd', trailing);
    },
    finish({ bytes }) {
      if (!frames.isComplete()) throw archiveBroken('zstd', 'it ends too early');
      return bytes;
    },
  };
}

function xzCheck(): EndCheck {
  return {
    suffix: Buffer.alloc(0),
    markBytes: 0,
    update() {},
    updateUnread() {
      throw archiveBroken('xz', trailing);
    },
    finish: ({ bytes }) => bytes,
  };
}
