import assert from 'node:assert/strict';
import { gunzipSync, gzipSync } from 'node:zlib';
import { endCheckFor } from '../../../packages/image/src/decode/end-check.ts';
import { decodeFrames } from '../../../packages/image/src/decode/zlib-decoder.ts';
import { answerOf } from '../answer.ts';
import type { FuzzTarget } from '../target.ts';
import { unpackBounded } from '../unpack.ts';

/**
 * Holds the check that goes with igzip against the decoder that needs none. In the place of igzip stands `gunzipSync`,
 * which passes over the same things in silence: whatever follows the last member and does not begin like another.
 */
export const target: FuzzTarget = {
  name: 'gzip-end',
  seeds: () => {
    const [one, two] = [gzipSync('a'.repeat(300)), gzipSync('another member')];
    return [one, two, Buffer.concat([one, two]), Buffer.concat([one, Buffer.alloc(40)]), gzipSync('')];
  },
  run: async (bytes) => {
    let proper: Buffer | undefined;
    const answer = await answerOf(async () => {
      proper = await unpackBounded((input, options) => decodeFrames('gzip', input, options), bytes);
      return 'accepted';
    });
    const checked = await throughProgram(bytes);
    if (checked !== undefined) {
      // among padding, bytes that repeat the size are let pass
      assert.ok(proper !== undefined || bytes.at(-1) === 0, `accepted, but: ${answer}`);
      assert.ok(checked.equals(proper ?? program(bytes)!), 'another output');
    } else if (proper !== undefined) {
      assert.ok(bytes.at(-1) === 0, 'refused, though it is fine and has no padding');
    }
    return `${answer} ${checked !== undefined}`;
  },
};

/** What comes of the program and its check. `undefined`: refused. */
async function throughProgram(bytes: Buffer): Promise<Buffer | undefined> {
  let image: Buffer | undefined;
  await answerOf(() => {
    const check = endCheckFor('gzip');
    for (let at = 0; at < bytes.length; at += 50) check.update(bytes.subarray(at, at + 50));
    const output = program(Buffer.concat([bytes, check.suffix]));
    if (output === undefined) return '';
    const tail = output.subarray(Math.max(0, output.length - check.markBytes));
    image = output.subarray(0, check.finish({ bytes: output.length, tail }));
    return '';
  });
  return image;
}

function program(bytes: Buffer): Buffer | undefined {
  try {
    return gunzipSync(bytes, { maxOutputLength: 64 * 1024 * 1024 });
  } catch {
    return undefined;
  }
}
