import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { join, normalize } from 'node:path';

/** A file the bad web server can serve: from memory or from a directory. */
export interface ServedFile {
  readonly sizeBytes: number;
  /** A strong one, with its quotes. */
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** Bytes from `start` up to, not including, `end`. The chunks are the caller's to change. */
  read(start: number, end: number): AsyncIterable<Buffer>;
}

const chunkBytes = 64 * 1024;
/** Long ago, so that it is a strong validator by the rules of RFC 9110 §8.8.2.2. */
const lastModified = 'Wed, 01 Jan 2025 00:00:00 GMT';

export function servedBuffer(content: Uint8Array): ServedFile {
  return {
    sizeBytes: content.byteLength,
    etag: `"${createHash('sha1').update(content).digest('hex')}"`,
    lastModified,
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
    etag: `"${found.size.toString(16)}-${Math.floor(found.mtimeMs).toString(16)}"`,
    lastModified: found.mtime.toUTCString(),
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

/** The file without some of its validators, by what `?validator=` says. */
export function withValidators(file: ServedFile, which: string | null): ServedFile {
  const { etag, lastModified } = file;
  switch (which) {
    case 'none':
      return { ...file, etag: undefined, lastModified: undefined };
    case 'weak':
      return { ...file, etag: `W/${etag}`, lastModified: undefined };
    case 'date':
      return { ...file, etag: undefined, lastModified };
    // within the last second: not a strong validator (RFC 9110 §8.8.2.2)
    case 'now':
      return { ...file, etag: undefined, lastModified: new Date().toUTCString() };
    default:
      return file;
  }
}

/** What `/other-file/` and the changing files send in the place of a byte. */
export function otherByte(byte: number): number {
  return byte ^ 0x55;
}

/** Another file of the same length: every byte differs. */
export function otherFile(file: ServedFile): ServedFile {
  return {
    sizeBytes: file.sizeBytes,
    etag: file.etag?.replace('"', '"other-'),
    lastModified: file.lastModified && 'Thu, 02 Jan 2025 00:00:00 GMT',
    async *read(start, end) {
      for await (const chunk of file.read(start, end)) {
        for (let at = 0; at < chunk.length; at++) chunk[at] = otherByte(chunk[at]!);
        yield chunk;
      }
    },
  };
}

/** The same file with zeros after its end, as if it had been published again. */
export function grownFile(file: ServedFile, byBytes: number): ServedFile {
  return {
    ...file,
    sizeBytes: file.sizeBytes + byBytes,
    async *read(start, end) {
      if (start < file.sizeBytes) yield* file.read(start, Math.min(end, file.sizeBytes));
      const zeros = end - Math.max(start, file.sizeBytes);
      if (zeros > 0) yield Buffer.alloc(zeros);
    },
  };
}
