import { constants, type FileHandle, lstat, open, rename } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { FetchFault } from '../errors.ts';
import type { ExpectedImage, ImageSink, OpenImage } from '../types.ts';
import { tryLock } from './file-lock.ts';
import { type ImageFile, openImageFile } from './image-file.ts';
import { partialPath, segmentLogPath } from './partial-name.ts';
import { readSegmentLog, removeIfThere, type SegmentLog, startSegmentLog } from './segment-log.ts';
import { requireSpace, type SpaceLedger, type SpaceReservation } from './space.ts';
import { storageFault } from './storage-faults.ts';

export interface DirectorySinkOptions {
  readonly directory: string;
  /** A plain name, without any directory. */
  readonly fileName: string;
  /** Mode of the committed file. Default 0644: the hypervisor reads it as another user. */
  readonly mode?: number;
  /** Space that is left to others on the same file system, bytes of its capacity. Default: none. */
  readonly reserve?: (capacityBytes: number) => number;
  /** What other transfers of this process have been promised. Default: nothing is known of them. */
  readonly ledger?: SpaceLedger;
  /** Told before each step of the commit, so that tests can stop the process there. */
  readonly onCommitStep?: (step: CommitStep) => void | Promise<void>;
}

/** How often, in written bytes, the space is looked at while an image of unknown size is written. */
const spaceCheckBytes = 8 * 1024 * 1024;
/** How often what was written is made to survive the loss of the machine, while a transfer goes on. */
const syncEveryMs = 3000;

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
  return {
    async open(signal, expected) {
      signal.throwIfAborted();
      try {
        return await openPartial(options, expected ?? {}, signal);
      } catch (error) {
        throw await storageFault(error, directory, 0);
      }
    },
    aside: (purpose) => directorySink({ ...options, fileName: `${fileName}.${purpose}` }),
  };
}

async function openPartial(
  options: DirectorySinkOptions,
  expected: ExpectedImage,
  signal: AbortSignal,
): Promise<OpenImage> {
  const { directory, fileName, ledger, reserve } = options;
  const path = partialPath(directory, fileName);
  const logPath = segmentLogPath(directory, fileName);
  const { resume } = expected;
  const left = resume ? await openLeft(path, logPath, expected, signal) : undefined;
  const kept = left?.kept ?? [];
  const segmentBytes = resume?.segmentBytes ?? 0;
  const wanted = expected.neededBytes ?? expected.sizeBytes ?? 0;
  const neededBytes = Math.max(0, wanted - kept.length * segmentBytes);
  const promisedBytes = ledger?.outstanding(directory) ?? 0;
  let reservation: SpaceReservation | undefined;
  let file = left?.file;
  try {
    await requireSpace({ directory, reserve, neededBytes, writtenBytes: 0, promisedBytes });
    reservation = ledger?.reserve(directory, neededBytes);
    if (!file) {
      await removeIfThere(logPath);
      await removeIfThere(path);
      // nobody else reads bytes that nobody has verified: the wider mode comes with the commit
      file = await openImageFile(path, constants.O_CREAT | constants.O_EXCL, 0o600);
      if (resume) await tryLock(file.handle, signal);
    }
    const log = resume ? await startSegmentLog(logPath, resume, kept) : undefined;
    const keptEnd = kept.length === 0 ? 0 : (Math.max(...kept) + 1) * segmentBytes;
    const sizeBytes = Math.min(keptEnd, expected.sizeBytes ?? keptEnd);
    return openImage({ options, path, file, log, kept, segmentBytes, sizeBytes, reservation });
  } catch (error) {
    reservation?.[Symbol.dispose]();
    await file?.close();
    throw error;
  }
}

/**
 * What an interrupted writing left, when it can be gone on with. One that is still being written belongs to its writer,
 * however long that one has been given up: two that write into one file would publish each other's bytes.
 */
async function openLeft(
  path: string,
  logPath: string,
  expected: ExpectedImage,
  signal: AbortSignal,
): Promise<{ readonly file: ImageFile; readonly kept: readonly number[] } | undefined> {
  if ((await keptSegments(path, logPath, expected)).length === 0) return undefined;
  const file = await openImageFile(path, 0, 0o600);
  // read once more: until the lock was had, somebody may have gone on
  const kept = (await tryLock(file.handle, signal)) ? await keptSegments(path, logPath, expected) : [];
  if (kept.length > 0 && (await isStillNamed(file.handle, path))) return { file, kept };
  await file.close();
  return undefined;
}

async function keptSegments(
  path: string,
  logPath: string,
  { resume, sizeBytes = 0 }: ExpectedImage,
): Promise<readonly number[]> {
  const found = await lstat(path).catch(() => undefined);
  if (!resume || !found?.isFile() || found.nlink !== 1) return [];
  const segments = (await readSegmentLog(logPath, resume)) ?? [];
  return segments.filter((segment) => segment * resume.segmentBytes < sizeBytes);
}

interface Partial {
  readonly options: DirectorySinkOptions;
  readonly path: string;
  file: ImageFile;
  readonly log: SegmentLog | undefined;
  readonly kept: readonly number[];
  readonly segmentBytes: number;
  readonly sizeBytes: number;
  readonly reservation: SpaceReservation | undefined;
}

function openImage(partial: Partial): OpenImage {
  const { options, path, log, segmentBytes, reservation } = partial;
  const { directory, fileName, ledger, reserve, mode = 0o644, onCommitStep = () => {} } = options;
  let { sizeBytes } = partial;
  let written = 0;
  let checkedAt = 0;
  let syncedAt = performance.now();
  let state: 'writing' | 'committed' | 'aborted' | 'suspended' = 'writing';
  const guarded = async <T>(action: () => Promise<T>): Promise<T> => {
    if (state !== 'writing') throw new Error(`the image was ${state}`);
    try {
      return await action();
    } catch (error) {
      throw await storageFault(error, directory, written);
    }
  };
  const close = async () => {
    reservation?.[Symbol.dispose]();
    await log?.close();
    await partial.file.close();
  };
  return {
    kept: partial.kept,
    get sizeBytes() {
      return sizeBytes;
    },
    setSize(bytes) {
      sizeBytes = bytes;
    },
    write: (position, bytes, { overwrite = false } = {}) =>
      guarded(async () => {
        written += bytes.length;
        reservation?.written(written);
        if (written - checkedAt >= spaceCheckBytes) {
          checkedAt = written;
          const promisedBytes = ledger?.outstanding(directory, reservation) ?? 0;
          await requireSpace({
            directory,
            reserve,
            neededBytes: bytes.length,
            writtenBytes: written,
            promisedBytes,
          });
        }
        await partial.file.write(position, bytes, overwrite);
        sizeBytes = Math.max(sizeBytes, position + bytes.length);
      }),
    async hasRoomFor(bytes) {
      const promisedBytes = ledger?.outstanding(directory, reservation) ?? 0;
      const demand = { directory, reserve, neededBytes: bytes, writtenBytes: written, promisedBytes };
      return requireSpace(demand).then(
        () => true,
        () => false,
      );
    },
    note: (segment) =>
      guarded(async () => {
        if (!log) return;
        await log.note(segment);
        if (performance.now() - syncedAt < syncEveryMs) return;
        syncedAt = performance.now();
        const upTo = log.noted;
        await partial.file.handle.datasync();
        await log.synced(upTo);
      }),
    read: (position, length) =>
      guarded(async () => {
        const target = Buffer.alloc(Math.max(0, Math.min(length, sizeBytes - position)));
        await partial.file.readInto(position, target);
        return target;
      }),
    readInto: (position, target) =>
      guarded(async () => {
        // where zeros were left out at the end, the file ends before them
        const filled = await partial.file.readInto(position, target);
        if (filled < target.length) target.fill(0, filled);
      }),
    convert: (converter) =>
      guarded(async () => {
        const converted = `${path}.converted`;
        await removeIfThere(converted);
        try {
          await partial.file.handle.truncate(sizeBytes);
          await converter.convert(resolve(path), resolve(converted), 'files');
          const file = await openImageFile(converted, 0, 0o600);
          await requireSameFile(partial.file.handle, path);
          await rename(converted, path);
          await partial.file.close();
          partial.file = file;
          sizeBytes = (await file.handle.stat()).size;
        } finally {
          await removeIfThere(converted);
        }
      }),
    commit: (expectedSizeBytes) =>
      guarded(async () => {
        const { handle } = partial.file;
        await onCommitStep('sync-data');
        // cuts what direct I/O wrote to the end of a page, or adds the zeros that were left out at the end
        await handle.truncate(sizeBytes);
        await handle.chmod(mode);
        await handle.sync();
        await onCommitStep('check-size');
        await requireSize(handle, sizeBytes, expectedSizeBytes);
        await requireSameFile(handle, path);
        await onCommitStep('rename');
        // first: a log without its partial is nothing, and one that outlives the commit would speak of the next
        await log?.remove();
        await rename(path, join(directory, fileName));
        state = 'committed';
        await close();
        await onCommitStep('sync-directory');
        await syncDirectoryOf(join(directory, fileName));
        await onCommitStep('done');
      }),
    async abort() {
      if (state !== 'writing') return;
      state = 'aborted';
      // a later opening may have its own file under the same name by now
      const ours = await isStillNamed(partial.file.handle, path).catch(() => false);
      await close();
      if (!ours) return;
      await log?.remove();
      await removeIfThere(path);
    },
    async suspend() {
      if (state !== 'writing') return 0;
      const left = (log?.noted ?? 0) * segmentBytes;
      if (left === 0) {
        await this.abort();
        return 0;
      }
      state = 'suspended';
      await partial.file.handle.datasync();
      await log?.synced(log.noted);
      await close();
      return left;
    },
  };
}

async function requireSize(handle: FileHandle, sizeBytes: number, expected: number): Promise<void> {
  const { size } = await handle.stat();
  if (size === expected && sizeBytes === expected) return;
  throw new FetchFault(
    'COMMIT_SIZE_WRONG',
    `${size} bytes on disk, ${sizeBytes} written, ${expected} expected`,
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
