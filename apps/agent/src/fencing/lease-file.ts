import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode } from '@millrace/core';
import { fail } from '../failure.ts';
import { poolMark } from '../storage/pool-mark.ts';
import { evictionName, type LeasedPool, leaseName, type PoolLeases } from './pool-leases.ts';

/** Leases as files of a pool that several hosts have mounted. What file systems do cannot be aborted. */
export function fileLeases(pool: LeasedPool): PoolLeases {
  const leaseOf = (hostUuid: string) => join(pool.path, leaseName(hostUuid));
  const evictionOf = (hostUuid: string) => join(pool.path, evictionName(hostUuid));
  return {
    async write(hostUuid, text) {
      const mark = await poolMark(pool.path);
      if (mark !== pool.uuid)
        fail('POOL_UNAVAILABLE', `${pool.path} is not the storage pool ${pool.uuid} any more`);
      await write(leaseOf(hostUuid), text);
    },
    // opened anew each time, as NFS wants it to see what others wrote
    read: (hostUuid) => readText(leaseOf(hostUuid)),
    remove: (hostUuid) => rm(leaseOf(hostUuid), { force: true }),
    writeEviction: (hostUuid, nonce) => write(evictionOf(hostUuid), nonce),
    readEviction: (hostUuid) => readText(evictionOf(hostUuid)),
    removeEviction: (hostUuid) => rm(evictionOf(hostUuid), { force: true }),
  };
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
