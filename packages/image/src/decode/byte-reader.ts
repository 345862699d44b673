/** The input ended where more was needed. What that means depends on who asked. */
export class InputEnded extends Error {}

/** Reads a stream of chunks by bytes, for formats whose parts have lengths. */
export interface ByteReader {
  /** How many bytes have been taken so far. */
  readonly position: number;
  /** Exactly so many bytes. @throws InputEnded; whatever the input throws */
  take(length: number): Promise<Buffer>;
  /** Between one byte and so many, as they come and without a copy; `undefined` at the end of the input. */
  some(most?: number): Promise<Buffer | undefined>;
  /** Gives back the end of what was taken last. */
  unread(rest: Buffer): void;
  /** Lets the input know that nobody is going to read on. */
  close(): void;
}

export function makeByteReader(input: AsyncIterable<Buffer>): ByteReader {
  const chunks = input[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  let position = 0;
  const some = async (most = Number.MAX_SAFE_INTEGER): Promise<Buffer | undefined> => {
    while (held.length === 0) {
      const result = await chunks.next();
      if (result.done) return undefined;
      held = result.value;
    }
    const taken = held.subarray(0, most);
    held = held.subarray(taken.length);
    position += taken.length;
    return taken;
  };
  return {
    get position() {
      return position;
    },
    some,
    async take(length) {
      const parts: Buffer[] = [];
      for (let missing = length; missing > 0; ) {
        const part = await some(missing);
        if (part === undefined) throw new InputEnded(`${missing} more bytes expected`);
        parts.push(part);
        missing -= part.length;
      }
      return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    },
    unread(rest) {
      position -= rest.length;
      held = held.length === 0 ? rest : Buffer.concat([rest, held]);
    },
    close() {
      // not waited for: it only ends when a read that is under way does, and whoever ends this stage aborts that one
      chunks.return?.().then(
        () => {},
        () => {},
      );
    },
  };
}
