import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, crc32, gzipSync, zstdCompressSync } from 'node:zlib';
import { FetchFault } from '../errors.ts';
import { pack } from '../testing/pack.ts';
import type { Compression } from '../types.ts';
import { bzip2EndChecker } from './bzip2-end.ts';
import { detectCompression } from './compression.ts';
import { decoders } from './decoder.ts';
import { decodeThroughProgram } from './program-decoder.ts';

const { signal } = new AbortController();
const content = randomBytes(1_200_000);

async function* inPieces(bytes: Buffer, pieceBytes: number, then?: Error): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  if (then) throw then;
}

async function decode(
  compression: Compression,
  input: AsyncIterable<Buffer>,
  partial = false,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of decoders[compression](input, { signal, partial })) parts.push(chunk);
  return Buffer.concat(parts);
}

for (const compression of ['gzip', 'zstd', 'xz', 'bzip2'] as const) {
  test(`${compression}: one stream and several in a row are unpacked, however they are cut into pieces`, async () => {
    const packed = await pack(compression, content);
    assert.equal(detectCompression(packed), compression);
    for (const pieceBytes of [packed.length, 65_536, 4999]) {
      assert.ok((await decode(compression, inPieces(packed, pieceBytes))).equals(content), `${pieceBytes}`);
    }
    const twice = Buffer.concat([packed, packed]);
    const double = Buffer.concat([content, content]);
    for (const pieceBytes of [twice.length, packed.length, packed.length + 1, packed.length - 1, 4096]) {
      assert.ok((await decode(compression, inPieces(twice, pieceBytes))).equals(double), `${pieceBytes}`);
    }
  });

  test(`${compression}: an error of the input comes out as it went in`, async () => {
    const packed = await pack(compression, content);
    const broken = new FetchFault('CONNECTION_RESET', 'midway');
    await assert.rejects(decode(compression, inPieces(packed.subarray(0, 300_000), 10_000, broken)), broken);
    await assert.rejects(decode(compression, inPieces(packed, 10_000, broken)), broken);
  });

  test(`${compression}: whatever is cut off or appended is an error, at every seam`, async () => {
    const packed = await pack(compression, content.subarray(0, 50_000));
    const broken = (error: unknown) => error instanceof FetchFault && error.code === 'ARCHIVE_BROKEN';
    for (const cut of [1, 4, 8, 20, 10_000]) {
      await assert.rejects(
        decode(compression, inPieces(packed.subarray(0, -cut), 4096)),
        broken,
        `cut ${cut}`,
      );
    }
    for (const appended of ['x', 'trailing', '\0\0\0\0\0\0\0\0trailing']) {
      const longer = Buffer.concat([packed, Buffer.from(appended)]);
      for (const pieceBytes of [longer.length, packed.length, 1000]) {
        await assert.rejects(
          decode(compression, inPieces(longer, pieceBytes)),
          broken,
          JSON.stringify(appended),
        );
      }
    }
    await assert.rejects(decode(compression, inPieces(Buffer.alloc(0), 1)), broken, 'empty');
  });

  test(`${compression}: the beginning of a file gives what it holds`, async () => {
    const packed = await pack(compression, content);
    const first = await decode(compression, inPieces(packed.subarray(0, 1_000_000), 65_536), true);
    assert.ok(first.length > 100_000, `${first.length}`);
    assert.ok(first.equals(content.subarray(0, first.length)));
  });

  test(`${compression}: a consumer that leaves early is not kept waiting by an input that hangs`, async () => {
    const packed = await pack(compression, content);
    async function* hanging() {
      yield packed.subarray(0, 1_000_000);
      await new Promise(() => {});
    }
    for await (const chunk of decoders[compression](hanging(), { signal, partial: true })) {
      assert.ok(chunk.length > 0);
      break;
    }
  });
}

test('zstd files of many frames, skippable ones among them, are unpacked whole', async () => {
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
  const frames = [skippable];
  for (let at = 0; at < content.length; at += 10_000) {
    const checksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
    frames.push(zstdCompressSync(content.subarray(at, at + 10_000), checksum), skippable);
  }
  const packed = Buffer.concat(frames);
  assert.equal(detectCompression(packed), 'zstd');
  for (const pieceBytes of [packed.length, 65_536, 10_007]) {
    assert.ok((await decode('zstd', inPieces(packed, pieceBytes))).equals(content));
  }
});

test('zeros after a gzip file are padding', async () => {
  const padded = Buffer.concat([gzipSync(content), Buffer.alloc(2000)]);
  assert.ok((await decode('gzip', inPieces(padded, 65_536))).equals(content));
});

test('the next program is used when the first is not installed, and none is an error that says so', async () => {
  const packed = await pack('bzip2', content);
  const missing = { file: 'no-such-program-xyz', argv: [] };
  const plain = { file: 'bzip2', argv: ['-dc'] };
  const parts: Buffer[] = [];
  for await (const chunk of decodeThroughProgram('bzip2', [missing, plain], inPieces(packed, 65_536), {
    signal,
  })) {
    parts.push(chunk);
  }
  assert.ok(Buffer.concat(parts).equals(content));
  const none = decodeThroughProgram('bzip2', [missing], inPieces(packed, 65_536), { signal });
  await assert.rejects(
    none.next(),
    (error) =>
      error instanceof FetchFault &&
      error.code === 'DECODER_MISSING' &&
      /no-such-program/.test(error.message),
  );
});

test('an xz file that wants more memory than the limit is refused', async () => {
  // a dictionary of 1 GiB: 9.2 GiB would be needed to pack it, so the header is written by hand
  const packed = await pack('xz', Buffer.from('x'), '--lzma2=dict=4KiB');
  const filterFlags = packed.indexOf(Buffer.from([0x21, 0x01]));
  packed[filterFlags + 2] = 36;
  const blockHeader = packed.subarray(12, 12 + (packed[12]! + 1) * 4);
  blockHeader.writeUInt32LE(crc32(blockHeader.subarray(0, -4)), blockHeader.length - 4);
  await assert.rejects(
    decode('xz', inPieces(packed, 1000)),
    (error) =>
      error instanceof FetchFault && error.code === 'ARCHIVE_BROKEN' && /memory/i.test(error.message),
  );
});

test('the end of a bzip2 stream is recognised at every bit position and nowhere else', async () => {
  for (let size = 1; size < 40; size++) {
    const packed = await pack('bzip2', randomBytes(size));
    const checker = bzip2EndChecker();
    for (const byte of packed) checker.update(Uint8Array.of(byte));
    assert.equal(checker.isComplete(), true, `${size}`);
    checker.update(Uint8Array.of(0x41));
    assert.equal(checker.isComplete(), false, `${size}`);
  }
  assert.equal(bzip2EndChecker().isComplete(), false);
});

test('text that begins like bzip2 and images are not taken for archives', () => {
  for (const bytes of [
    Buffer.from('BZh is a text'),
    Buffer.from('QFI\xfb', 'latin1'),
    Buffer.alloc(16),
    Buffer.alloc(0),
  ]) {
    assert.equal(detectCompression(bytes), 'none');
  }
});
