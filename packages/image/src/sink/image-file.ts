import { constants, type FileHandle, open } from 'node:fs/promises';
import { hasErrorCode } from '@millrace/core';
import { pageBytes } from '../memory/slab-pool.ts';
import { runsWithoutZeros } from './zero-runs.ts';

/** A file that is written at positions: directly to the disk where the memory and the file system allow it. */
export interface ImageFile {
  readonly handle: FileHandle;
  write(position: number, bytes: Buffer, overwrite: boolean): Promise<void>;
  readInto(position: number, target: Buffer): Promise<number>;
  close(): Promise<void>;
}

/** Without direct I/O the kernel keeps gigabytes to be written back at the end: this often they are sent on the way. */
const writeBackBytes = 64 * 1024 * 1024;

/**
 * Opens a file for writing and reading. Direct I/O takes a third of the time that writing through the page cache and
 * syncing takes, and does not evict what the guests' disks have there.
 */
export async function openImageFile(path: string, flags: number, mode: number): Promise<ImageFile> {
  const handle = await open(path, flags | constants.O_RDWR | constants.O_NOFOLLOW, mode);
  const direct = await openDirect(path, handle);
  let unsynced = 0;
  let syncing = false;
  const buffered = async (position: number, bytes: Buffer) => {
    await writeAll(handle, position, bytes);
    unsynced += bytes.length;
    if (unsynced < writeBackBytes || syncing) return;
    unsynced = 0;
    syncing = true;
    // the sync of the commit reports what fails here
    handle.datasync().then(
      () => {
        syncing = false;
      },
      () => {},
    );
  };
  return {
    handle,
    async write(position, bytes, overwrite) {
      const runs = overwrite ? [[0, bytes.length] as const] : runsWithoutZeros(bytes);
      for (const [from, to] of runs) {
        // what ends within a page, which only the end of an image does, goes its own way with that page
        const split =
          direct && isAligned(position + from, bytes, from) ? to - ((to - from) % pageBytes) : from;
        if (direct && split > from) await writeAll(direct, position + from, bytes.subarray(from, split));
        if (split < to) await buffered(position + split, bytes.subarray(split, to));
      }
    },
    async readInto(position, target) {
      const whole = target.length % pageBytes === 0;
      const source = direct && whole && isAligned(position, target, 0) ? direct : handle;
      let filled = 0;
      while (filled < target.length) {
        const length = target.length - filled;
        const { bytesRead } = await source.read(target, filled, length, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
        // a direct read that ends within a page has reached the end of the file
        if (source === direct && bytesRead % pageBytes !== 0) break;
      }
      return filled;
    },
    async close() {
      await direct?.close();
      await handle.close();
    },
  };
}

/** `undefined` where the file system refuses direct I/O. */
async function openDirect(path: string, handle: FileHandle): Promise<FileHandle | undefined> {
  try {
    const direct = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_DIRECT);
    const [ours, named] = await Promise.all([handle.stat(), direct.stat()]);
    if (ours.ino === named.ino && ours.dev === named.dev) return direct;
    await direct.close();
  } catch (error) {
    if (!hasErrorCode(error, 'EINVAL', 'ENOENT', 'ELOOP', 'ENOTSUP')) throw error;
  }
  return undefined;
}

/** Only slabs are known to begin at a page. */
function isAligned(position: number, bytes: Buffer, from: number): boolean {
  return (
    bytes.buffer instanceof SharedArrayBuffer &&
    (bytes.byteOffset + from) % pageBytes === 0 &&
    position % pageBytes === 0
  );
}

async function writeAll(handle: FileHandle, position: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}
