import assert from 'node:assert/strict';

/**
 * A large file of which only some places are of interest: an input has one byte of options and then the content of these
 * places, one after the other; everything between them is zeros.
 */
export interface Layout {
  readonly sizeBytes: number;
  readonly windows: readonly (readonly [at: number, length: number])[];
}

export interface LaidOut {
  readonly sizeBytes: number;
  /** Wants checksums that are right, without which nothing behind them would ever be reached. */
  readonly repair: boolean;
  /** The places, to be changed in place. */
  readonly windows: readonly Buffer[];
  read(position: number, length: number): Promise<Buffer>;
}

/** More than any honest image makes a parser read, and than a hostile one of this size may. */
const mostBytesRead = 256 * 1024 * 1024;
const cutStep = 512;

/** The input that stands for a file. */
export function gather(file: Buffer, layout: Layout, repair: boolean): Buffer {
  const windows = layout.windows.map(([at, length]) => file.subarray(at, at + length));
  return Buffer.concat([Buffer.of(repair ? 1 : 0), ...windows]);
}

/** The file that an input stands for. */
export function layOut(input: Buffer, layout: Layout): LaidOut {
  const options = input[0] ?? 0;
  let taken = 1;
  const windows = layout.windows.map(([, length]) => {
    const window = Buffer.alloc(length);
    input.subarray(taken, taken + length).copy(window);
    taken += length;
    return window;
  });
  const sizeBytes = Math.max(0, layout.sizeBytes - (options >> 2) * cutStep);
  let bytesRead = 0;
  return {
    sizeBytes,
    windows,
    repair: (options & 1) === 1,
    async read(position, length) {
      assert.ok(Number.isSafeInteger(position) && position >= 0, `read at ${position}`);
      assert.ok(Number.isSafeInteger(length) && length >= 0, `read of ${length} bytes`);
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, sizeBytes - position)));
      bytesRead += bytes.length + 512;
      assert.ok(bytesRead <= mostBytesRead, 'it reads without end');
      for (const [index, [at]] of layout.windows.entries()) {
        const window = windows[index]!;
        if (at + window.length <= position || at >= position + bytes.length) continue;
        if (at >= position) window.copy(bytes, at - position);
        else window.copy(bytes, 0, position - at);
      }
      return bytes;
    },
  };
}
