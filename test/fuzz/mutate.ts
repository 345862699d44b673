/** A small generator of numbers that are the same for the same seed (mulberry32). */
export interface Random {
  /** 0 up to, not including, `bound`. */
  below(bound: number): number;
}

export function makeRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    below(bound) {
      state = (state + 0x6d2b79f5) >>> 0;
      let value = Math.imul(state ^ (state >>> 15), state | 1);
      value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
      return Math.floor((((value ^ (value >>> 14)) >>> 0) / 2 ** 32) * bound);
    },
  };
}

/** Larger inputs find nothing that smaller ones do not, and take longer. */
export const largestInputBytes = 64 * 1024;

/** Numbers at which programs go wrong. */
const interesting = [
  0n,
  1n,
  2n,
  7n,
  8n,
  0x7fn,
  0x80n,
  0xffn,
  0x100n,
  0x1ffn,
  0x200n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x10000n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_fffen,
  0xffff_ffffn,
  0x1_0000_0000n,
  2n ** 40n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

const mutations: readonly Mutation[] = [
  function flipBit(bytes, random) {
    if (bytes.length > 0) bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
    return bytes;
  },
  function setByte(bytes, random) {
    if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  },
  function addToByte(bytes, random) {
    if (bytes.length > 0) bytes[random.below(bytes.length)]! += random.below(35) - 17;
    return bytes;
  },
  function setNumber(bytes, random) {
    const width = [1, 2, 4, 8][random.below(4)]!;
    if (bytes.length < width) return bytes;
    // most fields are aligned
    const at = random.below(bytes.length - width + 1);
    writeNumber(bytes, random.below(2) === 0 ? at : at - (at % width), width, {
      value: interesting[random.below(interesting.length)]!,
      bigEndian: random.below(2) === 0,
    });
    return bytes;
  },
  function remove(bytes, random) {
    const [at, length] = range(bytes, random);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
  },
  function repeat(bytes, random) {
    const [at, length] = range(bytes, random);
    return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
  },
  function copyOver(bytes, random) {
    const [at, length] = range(bytes, random);
    if (length > 0) bytes.copyWithin(random.below(bytes.length), at, at + length);
    return bytes;
  },
  function fill(bytes, random) {
    const [at, length] = range(bytes, random);
    return bytes.fill(random.below(2) * 255, at, at + length);
  },
  function insert(bytes, random) {
    const at = random.below(bytes.length + 1);
    const more = Buffer.from(Array.from({ length: 1 + random.below(16) }, () => random.below(256)));
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
  },
  function cut(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length + 1));
  },
  function splice(bytes, random, other) {
    return Buffer.concat([
      bytes.subarray(0, random.below(bytes.length + 1)),
      other.subarray(random.below(other.length + 1)),
    ]);
  },
];

/** Of an input and of another one, both left as they are, a new input. */
export function mutate(input: Buffer, other: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let steps = 1 + random.below(random.below(2) === 0 ? 2 : 8); steps > 0; steps--) {
    bytes = mutations[random.below(mutations.length)]!(bytes, random, other);
  }
  return bytes.subarray(0, largestInputBytes);
}

function range(bytes: Buffer, random: Random): readonly [at: number, length: number] {
  if (bytes.length === 0) return [0, 0];
  const at = random.below(bytes.length);
  const most = random.below(4) === 0 ? bytes.length : 64;
  return [at, 1 + random.below(Math.min(most, bytes.length - at))];
}

function writeNumber(
  bytes: Buffer,
  at: number,
  width: number,
  { value, bigEndian }: { readonly value: bigint; readonly bigEndian: boolean },
): void {
  const number = Buffer.alloc(8);
  if (bigEndian) number.writeBigUInt64BE(value);
  else number.writeBigUInt64LE(value);
  (bigEndian ? number.subarray(8 - width) : number.subarray(0, width)).copy(bytes, at);
}
