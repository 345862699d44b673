import { constants, type FileHandle, lstat, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hasErrorCode } from '@millrace/core';
import { FetchFault } from '../errors.ts';
import type { ImageSink, OpenImage } from '../types.ts';
import { partialPath } from './partial-name.ts';
import { spaceOf, storageFault } from './storage-faults.ts';

export interface DirectorySinkOptions {
  readonly directory: string;
  /** A plain name, without any directory. */
  readonly fileName: string;
  /** Mode of the committed file. Default 0644: the hypervisor reads it as another user. */
  readonly mode?: number;
  /** Space that is left to others on the same file system, bytes of its capacity. Default: none. */
  readonly reserve?: (capacityBytes: number) => number;
  /** Told before each step of the commit, so that tests can stop the process there. */
  readonly onCommitStep?: (step: CommitStep) => void | Promise<void>;
}

/** How often, in written bytes, the space is looked at while an image of unknown size is written. */
const spaceCheckBytes = 8 * 1024 * 1024;

export type CommitStep = 'sync-data' | 'check-size' | 'rename' | 'sync-directory' | 'done';

/**
 * Puts an image into a directory. It is written under a hidden name that `removeStalePartials` finds after a crash, and
 * gets its own name by a rename when everything in it is on the disk.
 */
export function directorySink(options: DirectorySinkOptions): ImageSink {
  const { directory, fileName } = options;
  if (fileName === '' || fileName === '.' || fileName === '..' || basename(fileName) !== fileName) {
    throw new FetchFault('REQUEST_MALFORMED', `${JSON.stringify(fileName)} is not a plain file name`);
  }
  const partial = partialPath(directory, fileName);
  return {
    async open(signal, expected) {
      signal.throwIfAborted();
      try {
        await removeIfThere(partial);
        await requireSpace(options, expected?.sizeBytes ?? 0);
        const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
        // nobody else reads bytes that nobody has verified: the wider mode comes with the commit
        const handle = await open(partial, flags, 0o600);
        return openImage(handle, options, partial);
      } catch (error) {
        throw await storageFault(error, directory, 0);
      }
    },
  };
}

function openImage(handle: FileHandle, options: DirectorySinkOptions, partial: string): OpenImage {
  const { directory, fileName, mode = 0o644, onCommitStep = () => {} } = options;
  let written = 0;
  let checkedAt = 0;
  let state: 'writing' | 'committed' | 'aborted' = 'writing';
  const guarded = async <T>(action: () => Promise<T>): Promise<T> => {
    if (state !== 'writing') throw new Error(`the image was ${state}`);
    try {
      return await action();
    } catch (error) {
      throw await storageFault(error, directory, written);
    }
  };
  return {
    get sizeBytes() {
      return written;
    },
    write: (chunk) =>
      guarded(async () => {
        if (written - checkedAt >= spaceCheckBytes) {
          checkedAt = written;
          await requireSpace(options, chunk.length, written);
        }
        for (let at = 0; at < chunk.length; ) {
          const { bytesWritten } = await handle.write(chunk, at, chunk.length - at, written);
          at += bytesWritten;
          written += bytesWritten;
        }
      }),
    read: (position, length) => guarded(() => readAt(handle, position, Math.min(length, written - position))),
    commit: (expectedSizeBytes) =>
      guarded(async () => {
        await onCommitStep('sync-data');
        await handle.chmod(mode);
        await handle.sync();
        await onCommitStep('check-size');
        await requireSize(handle, written, expectedSizeBytes);
        await requireSameFile(handle, partial);
        await onCommitStep('rename');
        await rename(partial, join(directory, fileName));
        state = 'committed';
        await handle.close();
        await onCommitStep('sync-directory');
        await syncDirectoryOf(join(directory, fileName));
        await onCommitStep('done');
      }),
    async abort() {
      if (state !== 'writing') return;
      state = 'aborted';
      // a later opening may have its own file under the same name by now
      const ours = await isStillNamed(handle, partial).catch(() => false);
      await handle.close();
      if (ours) await removeIfThere(partial);
    },
  };
}

/** @throws FetchFault `POOL_FULL` with figures: better now than after hours, or with others out of space. */
async function requireSpace(
  { directory, reserve }: DirectorySinkOptions,
  neededBytes: number,
  writtenBytes = 0,
): Promise<void> {
  const space = await spaceOf(directory);
  if (space === undefined) return;
  const reserved = Math.ceil(reserve?.(space.capacityBytes) ?? 0);
  if (neededBytes <= space.freeBytes - reserved) return;
  const kept = reserved > 0 ? `, of which ${reserved} are kept for others` : '';
  const asked =
    writtenBytes > 0 ? `after ${writtenBytes} bytes of the image` : `the image needs ${neededBytes} bytes`;
  throw new FetchFault('POOL_FULL', `${directory}: ${asked}, ${space.freeBytes} are free${kept}`);
}

async function requireSize(handle: FileHandle, written: number, expected: number): Promise<void> {
  const { size } = await handle.stat();
  if (size === expected && written === expected) return;
  throw new FetchFault(
    'COMMIT_SIZE_WRONG',
    `${size} bytes on disk, ${written} written, ${expected} expected`,
  );
}

/** The rename goes by name: it must not publish what somebody else has put there meanwhile. */
async function requireSameFile(handle: FileHandle, partial: string): Promise<void> {
  if (!(await isStillNamed(handle, partial))) throw new FetchFault('PARTIAL_LOST', partial);
}

async function isStillNamed(handle: FileHandle, path: string): Promise<boolean> {
  const ours = await handle.stat();
  const named = await lstat(path).catch(() => undefined);
  return named?.ino === ours.ino && named.dev === ours.dev;
}

/**
 * Without this a crash can undo the rename although it was reported as done. When it fails the file is removed: an image
 * that may vanish with the next power cut must not look committed.
 */
async function syncDirectoryOf(path: string): Promise<void> {
  try {
    const handle = await open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    await removeIfThere(path).catch(() => {});
    throw error;
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(Math.max(0, length));
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
  }
}
