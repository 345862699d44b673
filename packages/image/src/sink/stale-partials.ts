import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode } from '@millrace/core';
import { partialPrefix } from './partial-name.ts';
import { storageFault } from './storage-faults.ts';

/**
 * Removes what fetches that were killed have left in a directory. Only to be called when no fetch into it is under way.
 * @returns the names that were removed
 * @throws FetchFault `POOL_UNAVAILABLE` when the directory cannot be read or written; a missing one has no partials
 */
export async function removeStalePartials(directory: string): Promise<readonly string[]> {
  try {
    const names = (await readdir(directory)).filter((name) => name.startsWith(partialPrefix));
    for (const name of names) await rm(join(directory, name), { recursive: true, force: true });
    return names;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw await storageFault(error, directory, 0);
  }
}
