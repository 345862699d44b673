/** CRC-32C (Castagnoli), reflected, as of RFC 3720 appendix B.4. node:zlib has only the other CRC-32. */
const polynomial = 0x82f63b78;

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    return value >>> 0;
  });
}

/** Of the bytes with those of the checksum itself, four from `at` on, taken as zeros. */
export function crc32cWithout(bytes: Uint8Array, at: number): number {
  const table = makeTable();
  let crc = 0xffff_ffff;
  for (let index = 0; index < bytes.length; index++) {
    const byte = index >= at && index < at + 4 ? 0 : bytes[index]!;
    crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!;
  }
  return ~crc >>> 0;
}
