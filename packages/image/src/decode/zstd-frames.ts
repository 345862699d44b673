import { archiveBroken } from './stage.ts';

/** RFC 8878 §3.1 */
const magicFrame = 0xfd2fb528;
const magicSkippable = 0x184d2a50;
const blockType = { rle: 1, reserved: 3 } as const;

export interface ZstdFrames {
  /** @throws FetchFault `ARCHIVE_BROKEN` at the first byte that begins no frame */
  update(chunk: Uint8Array): void;
  /** True when the bytes so far end exactly where a frame does. */
  isComplete(): boolean;
}

/**
 * Walks over the frames of a zstd file without unpacking them: every block says how long it is, so that this costs next
 * to nothing. The program `zstd` also unpacks gzip, xz and lzma data that follows a frame, which nobody expects and
 * node:zlib refuses.
 */
export function zstdFrames(): ZstdFrames {
  /** Bytes of the part that is being read, as many as `wanted` in the end. */
  let part = Buffer.alloc(0);
  let wanted = 4;
  let next: (part: Buffer) => void = onMagic;
  /** Bytes to go over before the next part. */
  let skip = 0;
  let hasChecksum = false;
  let frames = 0;

  function expect(length: number, then: (part: Buffer) => void): void {
    wanted = length;
    next = then;
  }
  function onMagic(magic: Buffer): void {
    const value = magic.readUInt32LE();
    frames++;
    if (value === magicFrame) expect(1, onDescriptor);
    else if ((value & 0xffff_fff0) === magicSkippable) expect(4, onSkippableSize);
    else throw archiveBroken('zstd', 'bytes after the end of the archive');
  }
  function onSkippableSize(size: Buffer): void {
    skip = size.readUInt32LE();
    expect(4, onMagic);
  }
  function onDescriptor(part: Buffer): void {
    const descriptor = part.readUInt8();
    const singleSegment = (descriptor & 0x20) !== 0;
    const contentSize = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
    const dictionaryId = [0, 1, 2, 4][descriptor & 3] ?? 0;
    hasChecksum = (descriptor & 4) !== 0;
    skip = (singleSegment ? 0 : 1) + dictionaryId + contentSize;
    expect(3, onBlock);
  }
  function onBlock(part: Buffer): void {
    const header = part.readUIntLE(0, 3);
    const type = (header >> 1) & 3;
    if (type === blockType.reserved) throw archiveBroken('zstd', 'a block of unknown type');
    skip = type === blockType.rle ? 1 : header >> 3;
    if ((header & 1) === 0) return;
    if (hasChecksum) skip += 4;
    expect(4, onMagic);
  }
  return {
    update(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const skipped = Math.min(skip, chunk.length - at);
        skip -= skipped;
        at += skipped;
        if (skip > 0 || at === chunk.length) return;
        const taken = chunk.subarray(at, at + wanted - part.length);
        at += taken.length;
        part = Buffer.concat([part, taken]);
        if (part.length < wanted) return;
        const whole = part;
        part = Buffer.alloc(0);
        next(whole);
      }
    },
    isComplete: () => frames > 0 && skip === 0 && part.length === 0 && next === onMagic,
  };
}
