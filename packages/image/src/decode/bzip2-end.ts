const endMagic = 0x177245385090n;
const endBits = 48 + 32;
const keptBytes = 11;

export interface Bzip2EndChecker {
  update(chunk: Uint8Array): void;
  /** True when the bytes so far end exactly where a bzip2 stream ends. */
  isComplete(): boolean;
}

/**
 * Looks whether a file ends with the end of a bzip2 stream: its 48-bit end mark and 32-bit checksum, at any bit position,
 * padded to a byte. lbzip2 and bzip2 both ignore bytes after it without failing, so that they would go unnoticed.
 */
export function bzip2EndChecker(): Bzip2EndChecker {
  let tail = Buffer.alloc(0);
  return {
    update(chunk) {
      const last = chunk.subarray(Math.max(0, chunk.length - keptBytes));
      tail = Buffer.concat([tail, last]).subarray(-keptBytes);
    },
    isComplete() {
      const bits = tail.length === 0 ? 0n : BigInt(`0x${tail.toString('hex')}`);
      for (let padding = 0; padding < 8; padding++) {
        const mark = (bits >> BigInt(padding + endBits - 48)) & 0xffff_ffff_ffffn;
        if (mark === endMagic) return true;
      }
      return false;
    },
  };
}
