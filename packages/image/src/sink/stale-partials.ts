import { constants } from 'node:fs';
import { lstat, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode } from '@millrace/core';
import { tryLock } from './file-lock.ts';
import { logSuffix, partialPrefix } from './partial-name.ts';
import { storageFault } from './storage-faults.ts';

export interface StalePartialOptions {
  /** A partial image that can be gone on with is kept until nothing was written to it for this long. Default: not at all. */
  readonly keepResumableMs?: number;
  /** What was written to within this time is left alone: another host may be writing it. Default: nothing is. */
  readonly quietMs?: number;
}

/**
 * Removes what fetches that were killed have left in a directory. Only to be called when no fetch into it is under way.
 * @returns the names that were removed
 * @throws FetchFault `POOL_UNAVAILABLE` when the directory cannot be read or written; a missing one has no partials
 */
export async function removeStalePartials(
  directory: string,
  { keepResumableMs = 0, quietMs = 0 }: StalePartialOptions = {},
): Promise<readonly string[]> {
  try {
    const names = (await readdir(directory)).filter((name) => name.startsWith(partialPrefix));
    const kept = new Set<string>();
    for (const name of names) {
      const log = `${name}${logSuffix}`;
      if (!names.includes(log)) continue;
      const { mtimeMs } = await stat(join(directory, log));
      if (Date.now() - mtimeMs < keepResumableMs) kept.add(name).add(log);
    }
    const stale: string[] = [];
    for (const name of names) {
      if (kept.has(name)) continue;
      if (quietMs > 0 && Date.now() - (await stat(join(directory, name))).mtimeMs < quietMs) continue;
      stale.push(name);
    }
    for (const name of stale) await rm(join(directory, name), { recursive: true, force: true });
    return stale;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw await storageFault(error, directory, 0);
  }
}

export interface AbandonedPartialOptions {
  /** Files that somebody is fetching, or may go on with, by the beginning of their names. */
  readonly owned: readonly { readonly name: string; readonly underWay: boolean }[];
  /** Nothing may have been written for so long to what nobody owns. */
  readonly quietMs: number;
  /** Nor for so long to what somebody may go on with. */
  readonly keepResumableMs: number;
  readonly signal: AbortSignal;
}

/**
 * Removes partial images that nobody will go on with, also while fetches into the directory are under way: what is written
 * to, or locked by its writer, stays.
 * @returns the names that were removed, without those of their logs
 * @throws FetchFault `POOL_UNAVAILABLE` when the directory cannot be read or written
 */
export async function removeAbandonedPartials(
  directory: string,
  options: AbandonedPartialOptions,
): Promise<readonly string[]> {
  const removed: string[] = [];
  try {
    const names = (await readdir(directory)).filter((name) => name.startsWith(partialPrefix));
    const partials = new Set(names.map((name) => (name.endsWith(logSuffix) ? withoutLog(name) : name)));
    for (const partial of partials) {
      options.signal.throwIfAborted();
      const path = join(directory, partial);
      if (!(await isAbandoned(path, partial.slice(partialPrefix.length), options))) continue;
      // the log first: without it nobody goes on with the rest
      await rm(`${path}${logSuffix}`, { force: true });
      await rm(path, { recursive: true, force: true });
      removed.push(partial);
    }
    return removed;
  } catch (error) {
    options.signal.throwIfAborted();
    throw await storageFault(error, directory, 0);
  }
}

function withoutLog(name: string): string {
  return name.slice(0, -logSuffix.length);
}

async function isAbandoned(
  path: string,
  fileName: string,
  options: AbandonedPartialOptions,
): Promise<boolean> {
  const owners = options.owned.filter(({ name }) => fileName.startsWith(name));
  if (owners.some(({ underWay }) => underWay)) return false;
  const [file, log] = await Promise.all([path, `${path}${logSuffix}`].map((one) => lstatOrUndefined(one)));
  const writtenMs = Math.max(file?.mtimeMs ?? 0, log?.mtimeMs ?? 0);
  const resumable = owners.length > 0 && log !== undefined;
  if (Date.now() - writtenMs < (resumable ? options.keepResumableMs : options.quietMs)) return false;
  if (!file?.isFile()) return true;
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await tryLock(handle, options.signal);
  } finally {
    await handle.close();
  }
}

async function lstatOrUndefined(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
