import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, crc32, gzipSync, zstdCompressSync } from 'node:zlib';
import { FetchFault } from '../errors.ts';
import { faultOf, inPieces } from '../testing/decode.ts';
import { pack } from '../testing/pack.ts';
import { detectCompression } from './compression.ts';
import { type Decoder, decoders } from './decoder.ts';
import { decodeThroughProgram } from './program-decoder.ts';
import { unpackProgramsFor } from './programs.ts';
import { decodeFrames } from './zlib-decoder.ts';

const { signal } = new AbortController();
const content = randomBytes(1_200_000);

async function decode(decoder: Decoder, input: AsyncIterable<Buffer>, partial = false): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of decoder(input, { signal, partial })) parts.push(chunk);
  return Buffer.concat(parts);
}

const justBzip2 = unpackProgramsFor('bzip2', true).slice(0, 1);
/** Its program cannot unpack the beginning of a file before it has seen more of it. */
const throughZstd: Decoder = (input, options) =>
  options.partial
    ? decoders.zstd(input, options)
    : decodeThroughProgram('zstd', unpackProgramsFor('zstd', false), input, options);
const ways: readonly (readonly [string, 'gzip' | 'zstd' | 'xz' | 'bzip2', Decoder])[] = [
  ['gzip', 'gzip', decoders.gzip],
  ['gzip without a program', 'gzip', (input, options) => decodeFrames('gzip', input, options)],
  ['zstd', 'zstd', decoders.zstd],
  ['zstd through a program', 'zstd', throughZstd],
  ['xz', 'xz', decoders.xz],
  ['bzip2', 'bzip2', decoders.bzip2],
  [
    'bzip2 on one core',
    'bzip2',
    (input, options) => decodeThroughProgram('bzip2', justBzip2, input, options),
  ],
];
for (const [way, compression, decoder] of ways) {
  test(`${way}: one stream and several in a row are unpacked, however they are cut into pieces`, async () => {
    const packed = await pack(compression, content);
    assert.equal(detectCompression(packed), compression);
    for (const pieceBytes of [packed.length, 65_536, 4999]) {
      assert.ok((await decode(decoder, inPieces(packed, pieceBytes))).equals(content), `${pieceBytes}`);
    }
    const twice = Buffer.concat([packed, packed]);
    const double = Buffer.concat([content, content]);
    for (const pieceBytes of [twice.length, packed.length, packed.length + 1, packed.length - 1, 4096]) {
      assert.ok((await decode(decoder, inPieces(twice, pieceBytes))).equals(double), `${pieceBytes}`);
    }
  });

  test(`${way}: an error of the input comes out as it went in`, async () => {
    const packed = await pack(compression, content);
    const broken = new FetchFault('CONNECTION_RESET', 'midway');
    await assert.rejects(decode(decoder, inPieces(packed.subarray(0, 300_000), 10_000, broken)), broken);
    await assert.rejects(decode(decoder, inPieces(packed, 10_000, broken)), broken);
  });

  test(`${way}: whatever is cut off or appended is an error, at every seam`, async () => {
    const packed = await pack(compression, content.subarray(0, 50_000));
    const broken = faultOf('ARCHIVE_BROKEN');
    for (const cut of [1, 4, 8, 20, 10_000]) {
      await assert.rejects(decode(decoder, inPieces(packed.subarray(0, -cut), 4096)), broken, `cut ${cut}`);
    }
    for (const appended of ['x', 'trailing', '\0\0\0\0\0\0\0\0trailing']) {
      const longer = Buffer.concat([packed, Buffer.from(appended)]);
      for (const pieceBytes of [longer.length, packed.length, 1000]) {
        await assert.rejects(decode(decoder, inPieces(longer, pieceBytes)), broken, JSON.stringify(appended));
      }
    }
    await assert.rejects(decode(decoder, inPieces(Buffer.alloc(0), 1)), broken, 'empty');
  });

  test(`${way}: the beginning of a file gives what it holds`, async () => {
    const packed = await pack(compression, content);
    const first = await decode(decoder, inPieces(packed.subarray(0, 1_000_000), 65_536), true);
    assert.ok(first.length > 100_000, `${first.length}`);
    assert.ok(first.equals(content.subarray(0, first.length)));
  });

  test(`${way}: a consumer that leaves early is not kept waiting by an input that hangs`, async () => {
    const packed = await pack(compression, content);
    async function* hanging() {
      yield packed.subarray(0, 1_000_000);
      await new Promise(() => {});
    }
    for await (const chunk of decoder(hanging(), { signal, partial: true })) {
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
  for (const [way, compression, decoder] of ways) {
    if (compression !== 'zstd') continue;
    for (const pieceBytes of [packed.length, 65_536, 10_007]) {
      assert.ok((await decode(decoder, inPieces(packed, pieceBytes))).equals(content), way);
    }
  }
});

test('zeros after a gzip file are padding, however many they are', async () => {
  for (const [way, compression, decoder] of ways) {
    if (compression !== 'gzip') continue;
    for (const zeros of [1, 2000, 1_000_000]) {
      const padded = Buffer.concat([gzipSync(content), Buffer.alloc(zeros)]);
      assert.ok((await decode(decoder, inPieces(padded, 65_536))).equals(content), `${way}, ${zeros}`);
      const broken = Buffer.concat([padded, Buffer.from('x')]);
      await assert.rejects(decode(decoder, inPieces(broken, 65_536)), faultOf('ARCHIVE_BROKEN'), way);
    }
  }
});

test('the next program is used when the first is not installed, and none is an error that says so', async () => {
  const packed = await pack('bzip2', content);
  const missing = { name: 'no-such-program-xyz', argv: [], memoryBytes: 2 ** 28 };
  const plain = { name: 'bzip2', argv: ['-dc'], memoryBytes: 2 ** 28 };
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
    decode(decoders.xz, inPieces(packed, 1000)),
    (error) =>
      error instanceof FetchFault && error.code === 'ARCHIVE_BROKEN' && /memory/i.test(error.message),
  );
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
