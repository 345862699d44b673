import assert from 'node:assert/strict';
import type { Decoder } from '../../packages/image/src/decode/stage.ts';

/** What an input of 64 KiB can hold at most, deflated, and no more than that. */
const mostBytes = 128 * 1024 * 1024;
const { signal } = new AbortController();

/** Unpacks in pieces whose sizes depend on the input, so that every seam is met and a finding can be repeated. */
export async function unpackBounded(decoder: Decoder, bytes: Buffer): Promise<Buffer> {
  const pieceBytes = [bytes.length + 1, 100, 31, 4096][bytes.length % 4]!;
  const input = async function* () {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  };
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of decoder(input(), { signal })) {
    size += chunk.length;
    assert.ok(size <= mostBytes, 'more than the input can hold');
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}
