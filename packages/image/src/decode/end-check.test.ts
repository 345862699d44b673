import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { faultOf } from '../testing/decode.ts';
import { type EndCheck, endCheckFor } from './end-check.ts';
import { zstdFrames } from './zstd-frames.ts';

const content = randomBytes(70_000);

function show(check: EndCheck, bytes: Buffer, pieceBytes: number): EndCheck {
  for (let at = 0; at < bytes.length; at += pieceBytes) check.update(bytes.subarray(at, at + pieceBytes));
  return check;
}

test('a gzip file is proven by the suffix, which is taken off the output', () => {
  const check = show(endCheckFor('gzip'), gzipSync(content), 1000);
  const mark = gunzipSync(check.suffix);
  assert.equal(mark.length, check.markBytes);
  assert.equal(check.finish({ bytes: content.length + mark.length, tail: mark }), content.length);
  // marks of other runs, and outputs too short to end with one, prove nothing
  for (const tail of [gunzipSync(endCheckFor('gzip').suffix), mark.subarray(1), Buffer.alloc(0)]) {
    assert.throws(() => check.finish({ bytes: content.length, tail }), faultOf('ARCHIVE_BROKEN'));
  }
});

test('padding after a gzip file is told from other bytes by the size before it', () => {
  const tail = Buffer.alloc(16);
  for (const size of [1, 255, 256, 65_535, 65_536, 70_000]) {
    const packed = gzipSync(content.subarray(0, size));
    for (const pieceBytes of [1, 3, 8, 9, 100_000]) {
      for (const zeros of [1, 3, 4, 8, 512]) {
        const padded = show(endCheckFor('gzip'), Buffer.concat([packed, Buffer.alloc(zeros)]), pieceBytes);
        assert.equal(padded.finish({ bytes: size, tail }), size, `${size} ${pieceBytes} ${zeros}`);
        assert.throws(() => padded.finish({ bytes: size + 1, tail }), faultOf('ARCHIVE_BROKEN'));
      }
      const unpadded = show(endCheckFor('gzip'), packed, pieceBytes);
      assert.throws(() => unpadded.finish({ bytes: size, tail }), faultOf('ARCHIVE_BROKEN', /after the end/));
      const garbage = Buffer.concat([packed, Buffer.from('garbage'), Buffer.alloc(512)]);
      const trailing = show(endCheckFor('gzip'), garbage, pieceBytes);
      assert.throws(() => trailing.finish({ bytes: size, tail }), faultOf('ARCHIVE_BROKEN', /after the end/));
    }
  }
});

test('flags that are reserved in a gzip header are noticed in whatever piece they come', () => {
  for (const pieceBytes of [1, 2, 3, 4, 100]) {
    const packed = gzipSync(content.subarray(0, 50));
    assert.doesNotThrow(() => show(endCheckFor('gzip'), packed, pieceBytes));
    packed[3] = 0x20;
    assert.throws(() => show(endCheckFor('gzip'), packed, pieceBytes), faultOf('ARCHIVE_BROKEN', /flags/));
  }
});

test('nothing at all is no archive, though its suffix is one', () => {
  for (const compression of ['gzip', 'bzip2'] as const) {
    const check = endCheckFor(compression);
    const tail =
      compression === 'gzip' ? gunzipSync(check.suffix) : Buffer.from('Millrace: end of the archive\n');
    assert.throws(() => check.finish({ bytes: tail.length, tail }), faultOf('ARCHIVE_BROKEN', /empty/));
  }
  assert.throws(
    () => endCheckFor('zstd').finish({ bytes: 0, tail: Buffer.alloc(0) }),
    faultOf('ARCHIVE_BROKEN'),
  );
});

test('what a program did not read must be padding, and only gzip has any', () => {
  assert.doesNotThrow(() => endCheckFor('gzip').updateUnread(Buffer.alloc(10)));
  for (const compression of ['gzip', 'bzip2', 'xz', 'zstd'] as const) {
    assert.throws(() => endCheckFor(compression).updateUnread(Buffer.from('\0x')), faultOf('ARCHIVE_BROKEN'));
  }
});

const frame = (size: number, params: Record<number, number>) =>
  zstdCompressSync(content.subarray(0, size), { params });
const frames: readonly (readonly [string, Buffer])[] = [
  ['with a checksum', frame(60_000, { [constants.ZSTD_c_checksumFlag]: 1 })],
  ['without a checksum', frame(60_000, { [constants.ZSTD_c_checksumFlag]: 0 })],
  ['without its size', frame(60_000, { [constants.ZSTD_c_contentSizeFlag]: 0 })],
  ['empty', frame(0, {})],
  ['of one byte', frame(1, {})],
  ['of zeros', zstdCompressSync(Buffer.alloc(1_000_000))],
  ['skippable', Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])],
];

test('zstd frames of every shape are walked over to their very end', () => {
  for (const [what, bytes] of frames) {
    for (const pieceBytes of [1, 5, 4096, bytes.length]) {
      const walk = zstdFrames();
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        assert.equal(walk.isComplete(), false, `${what} at ${at}`);
        walk.update(bytes.subarray(at, at + pieceBytes));
      }
      assert.ok(walk.isComplete(), what);
      walk.update(frames[0]![1]);
      assert.ok(walk.isComplete(), what);
    }
  }
});

test('what is no frame is noticed right where it begins', () => {
  for (const [what, bytes] of frames) {
    for (const next of [
      gzipSync('x'),
      Buffer.from('\xfd7zXZ\0', 'latin1'),
      Buffer.alloc(4),
      Buffer.from('wxyz'),
    ]) {
      const walk = zstdFrames();
      walk.update(bytes);
      assert.throws(() => walk.update(next.subarray(0, 4)), faultOf('ARCHIVE_BROKEN', /after the end/), what);
    }
  }
  const reserved = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58, 0b110, 0, 0]);
  assert.throws(() => zstdFrames().update(reserved), faultOf('ARCHIVE_BROKEN', /unknown type/));
});
