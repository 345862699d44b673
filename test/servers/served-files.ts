import { open, stat } from 'node:fs/promises';
import { join, normalize } from 'node:path';

/** A file the bad web server can serve: from memory or from a directory. */
export interface ServedFile {
  readonly sizeBytes: number;
  /** Bytes from `start` up to, not including, `end`. */
  read(start: number, end: number): AsyncIterable<Buffer>;
}

const chunkBytes = 64 * 1024;

export function servedBuffer(content: Uint8Array): ServedFile {
  return {
    sizeBytes: content.byteLength,
    async *read(start, end) {
      for (let at = start; at < end; at += chunkBytes) {
        yield Buffer.from(content.subarray(at, Math.min(end, at + chunkBytes)));
      }
    },
  };
}

/** `undefined` when there is no such file, or the name leads out of the directory. */
export async function servedFromDirectory(directory: string, name: string): Promise<ServedFile | undefined> {
  const relative = normalize(name);
  if (relative.startsWith('..') || relative.startsWith('/')) return undefined;
  const path = join(directory, relative);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  return {
    sizeBytes: found.size,
    async *read(start, end) {
      await using handle = await open(path, 'r');
      for (let at = start; at < end; ) {
        const buffer = Buffer.alloc(Math.min(chunkBytes, end - at));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    },
  };
}
