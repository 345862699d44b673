import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode } from '@millrace/core';
import { fail } from '../failure.ts';
import { poolMark } from '../storage/pool-mark.ts';

/** A shared pool on this host. */
export interface LeasedPool {
  readonly uuid: string;
  readonly path: string;
}

const leaseName = (hostUuid: string) => `.millrace-lease-${hostUuid}`;
const evictionName = (hostUuid: string) => `.millrace-evict-${hostUuid}`;

/**
 * Shows all hosts of the pool that this one is alive: `text` differs from what was there before.
 * @throws AgentFailure `POOL_UNAVAILABLE` when another file system is mounted there; what the file system says
 */
export async function writeLease(pool: LeasedPool, hostUuid: string, text: string): Promise<void> {
  const mark = await poolMark(pool.path);
  if (mark !== pool.uuid)
    fail('POOL_UNAVAILABLE', `${pool.path} is not the storage pool ${pool.uuid} any more`);
  await write(join(pool.path, leaseName(hostUuid)), text);
}

/** What a host last showed; undefined when it shows nothing. Opened anew each time, as NFS wants it to see what others wrote. */
export async function readLease(pool: LeasedPool, hostUuid: string): Promise<string | undefined> {
  return readText(join(pool.path, leaseName(hostUuid)));
}

export async function removeLease(pool: LeasedPool, hostUuid: string): Promise<void> {
  await rm(join(pool.path, leaseName(hostUuid)), { force: true });
}

/** Tells a host, by the pool alone, to end its instances there. */
export async function writeEviction(pool: LeasedPool, hostUuid: string, nonce: string): Promise<void> {
  await write(join(pool.path, evictionName(hostUuid)), nonce);
}

export async function readEviction(pool: LeasedPool, hostUuid: string): Promise<string | undefined> {
  return readText(join(pool.path, evictionName(hostUuid)));
}

export async function removeEviction(pool: LeasedPool, hostUuid: string): Promise<void> {
  await rm(join(pool.path, evictionName(hostUuid)), { force: true });
}

/** What a host shows once its instances have ended because it was told so. */
export function releasedText(nonce: string): string {
  return `released ${nonce}`;
}

/** The old text or the new one, whenever power is lost or somebody reads. */
async function write(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(`${text}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
