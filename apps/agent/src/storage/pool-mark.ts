import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode } from '@millrace/core';
import { fail } from '../failure.ts';

const markName = '.millrace-pool';

/** Whose pool the directory is; undefined when it is nobody's. */
export async function poolMark(directory: string): Promise<string | undefined> {
  try {
    return (await readFile(join(directory, markName), 'utf8')).trim();
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Marks the directory as this pool's, unless it is already.
 * @throws AgentFailure `POOL_FOREIGN` when it is another's: two clouds in one directory would remove each other's files
 */
export async function markPool(directory: string, uuid: string): Promise<void> {
  try {
    // the one that makes the file wins, on NFS too (RFC 1813 §3.3.8, exclusive)
    const file = await open(join(directory, markName), 'wx', 0o644);
    try {
      await file.writeFile(`${uuid}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!hasErrorCode(error, 'EEXIST')) throw error;
    const mark = await poolMark(directory);
    if (mark === uuid) return;
    fail(
      'POOL_FOREIGN',
      `${directory} is the storage pool ${mark} already: use another directory, or remove ${markName} there when that pool is no more`,
      error,
      'stop',
    );
  }
}

/** Takes this pool's mark away; another's stays. */
export async function unmarkPool(directory: string, uuid: string): Promise<void> {
  if ((await poolMark(directory)) === uuid) await rm(join(directory, markName), { force: true });
}
