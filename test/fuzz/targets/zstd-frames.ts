import assert from 'node:assert/strict';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { decodeFrames } from '../../../packages/image/src/decode/zlib-decoder.ts';
import { zstdFrames } from '../../../packages/image/src/decode/zstd-frames.ts';
import { answerOf } from '../answer.ts';
import type { FuzzTarget } from '../target.ts';
import { unpackBounded } from '../unpack.ts';

/** Holds the walk over the frames against the decoder that unpacks them: what it accepts, the walk must get through. */
export const target: FuzzTarget = {
  name: 'zstd-frames',
  seeds: () => {
    const content = Buffer.from(Array.from({ length: 400 }, (_, index) => (index * index) % 251));
    const plain = zstdCompressSync(content);
    const checked = zstdCompressSync(content, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]);
    const zeros = zstdCompressSync(Buffer.alloc(300_000));
    return [
      plain,
      checked,
      zeros,
      Buffer.concat([skippable, checked, plain]),
      Buffer.concat([plain, gzipSync('x')]),
    ];
  },
  run: async (bytes) => {
    let accepted = false;
    const answer = await answerOf(async () => {
      await unpackBounded((input, options) => decodeFrames('zstd', input, options), bytes);
      accepted = true;
      return 'accepted';
    });
    const walked = await answerOf(() => {
      const frames = zstdFrames();
      const pieceBytes = 1 + (bytes.length % 70);
      for (let at = 0; at < bytes.length; at += pieceBytes)
        frames.update(bytes.subarray(at, at + pieceBytes));
      return frames.isComplete() ? 'complete' : 'incomplete';
    });
    assert.ok(!accepted || walked === 'complete', `unpacked, but the walk says ${walked}`);
    return `${answer} ${walked}`;
  },
};
