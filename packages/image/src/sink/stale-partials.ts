import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode } from '@millrace/core';
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
