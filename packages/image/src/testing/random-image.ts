import { qcow2File } from './qcow2-fixture.ts';

/** Bytes that a number stands for: the same ones every time. */
export function randomBytesOf(seed: number, sizeBytes: number): Buffer {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  // xorshift32: zero is the one state it never leaves
  let state = (seed ^ 0x9e37_79b9) | 1;
  for (let at = 0; at < words.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return Buffer.from(words.buffer, 0, sizeBytes);
}

const block = 32 * 1024;

/** An image as disks have them: blocks of data, and runs of zeros between them, at the beginning and at the end too. */
export function rawImageOf(seed: number, sizeBytes: number): Buffer {
  const image = randomBytesOf(seed, sizeBytes);
  const pattern = randomBytesOf(seed + 1, Math.ceil(sizeBytes / block));
  let zeros = (seed & 1) === 1;
  for (const [index, value] of pattern.entries()) {
    if (value < 60) zeros = !zeros;
    if (zeros) image.fill(0, index * block, Math.min(sizeBytes, (index + 1) * block));
  }
  return image;
}

/** A qcow2 image that QEMU would open, with clusters that nothing refers to behind it. */
export function qcow2ImageOf(seed: number, sizeBytes: number): Buffer {
  return Buffer.concat([qcow2File(), randomBytesOf(seed, Math.max(0, sizeBytes))]);
}
