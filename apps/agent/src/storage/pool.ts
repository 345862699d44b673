import { chmod, open, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PoolReference } from '@millrace/agent-protocol';
import { hasErrorCode } from '@millrace/core';
import { fail } from '../failure.ts';

export interface PoolSpace {
  readonly capacityBytes: number;
  readonly availableBytes: number;
}

/**
 * What transfers leave free in a pool, bytes: the disks of running VMs grow in the same place, and on one machine the
 * database writes there too. Without it one image of unknown size could stop them all.
 */
export function poolReserve(capacityBytes: number): number {
  return Math.min(1024 ** 3, capacityBytes / 20);
}

/**
 * Makes sure that the pool is there before something is put into it: on a host that lost its mount, a missing
 * directory must never be made anew.
 * @throws AgentFailure `POOL_UNAVAILABLE`
 */
export async function requirePool(pool: PoolReference): Promise<void> {
  const found = await statOrUndefined(pool.path);
  if (found?.isDirectory()) return;
  fail(
    'POOL_UNAVAILABLE',
    `the directory ${pool.path} of the storage pool ${found ? 'is no directory' : 'does not exist'} on this host: create or mount it`,
  );
}

/** Absolute path of a file of the pool. `fileName` is a plain name by the protocol, so this cannot leave the pool. */
export function pathInPool(pool: PoolReference, fileName: string): string {
  return join(pool.path, fileName);
}

/** Absolute path of a template or ISO that must be there. @throws AgentFailure `POOL_UNAVAILABLE`, `TEMPLATE_MISSING` */
export async function imagePathIn(pool: PoolReference, fileName: string): Promise<string> {
  await requirePool(pool);
  const path = pathInPool(pool, fileName);
  if (!(await statOrUndefined(path)))
    fail('TEMPLATE_MISSING', `the image ${fileName} is not in ${pool.path}: it has to be fetched again`);
  return path;
}

/** Like `stat`, but `undefined` when there is nothing. */
export async function statOrUndefined(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Size and space for unprivileged writers of the file system that holds `path`, in bytes. */
export async function spaceOf(path: string): Promise<PoolSpace> {
  const found = await statfs(path);
  return { capacityBytes: found.blocks * found.bsize, availableBytes: found.bavail * found.bsize };
}

/**
 * Makes a finished temporary file visible under its final name in the order that survives a power cut: data first,
 * then the name, then the directory that holds the name.
 */
export async function publish(temporaryPath: string, finalPath: string, mode: number): Promise<void> {
  await chmod(temporaryPath, mode);
  await sync(temporaryPath);
  await rename(temporaryPath, finalPath);
  await sync(dirname(finalPath));
}

/** Removes a file, durably. Nothing there is fine. */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
  try {
    await sync(dirname(path));
  } catch (error) {
    // no directory, no file
    if (!hasErrorCode(error, 'ENOENT')) throw error;
  }
}

/** Makes names that were given in a directory survive the loss of the machine. */
export async function syncDirectory(directory: string): Promise<void> {
  await sync(directory);
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
