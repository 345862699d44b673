import type { PoolReference } from '@millrace/agent-protocol';
import { describeError } from '@millrace/core';
import { fail } from '../failure.ts';
import type { Lanes } from '../lanes.ts';
import { createDisk, type DiskBase, type DiskInfo, diskInfo } from '../qemu-img/qemu-img.ts';
import {
  imagePathIn,
  pathInPool,
  publish,
  removeFile,
  requirePool,
  statOrUndefined,
} from '../storage/pool.ts';
import type { Handler } from './handler.ts';

/** Tenants' disks are nobody else's business on the host; libvirt hands the file to QEMU's user while the VM runs. */
const volumeMode = 0o600;

/**
 * Makes a VM's disk: a qcow2 overlay on a template of the same pool, or an empty one. It is made under a temporary name and
 * renamed when it is whole and synced, so a crash leaves nothing or a whole volume.
 */
export function makeVolumeCreate(deps: { readonly lanes: Lanes }): Handler<'volume.create'> {
  return ({ pool, path, backing, sizeBytes, replace }, { signal }) => {
    const finalPath = pathInPool(pool, path);
    const answer = (info: DiskInfo) => ({
      path,
      virtualSizeBytes: info.virtualSizeBytes,
      physicalSizeBytes: info.physicalSizeBytes,
    });
    return deps.lanes.run(volumeLane(finalPath), signal, async () => {
      await requirePool(pool);
      const temporaryPath = temporaryVolumePath(finalPath);
      await removeFile(temporaryPath);
      if (!replace && (await statOrUndefined(finalPath))) return answer(await readVolume(finalPath, signal));

      const base = backing && (await baseOf(pool, backing, signal));
      if (!base && !sizeBytes) fail('VOLUME_SIZE_MISSING', 'an empty disk needs a size');
      try {
        await createDisk(temporaryPath, {
          ...(base ? { base } : {}),
          // a disk smaller than its template would cut off the guest's file system
          sizeBytes: Math.max(sizeBytes ?? 0, base?.virtualSizeBytes ?? 0),
          signal,
        });
        await publish(temporaryPath, finalPath, volumeMode);
      } catch (error) {
        await removeFile(temporaryPath);
        throw error;
      }
      return answer(await diskInfo(finalPath, 'qcow2', signal));
    });
  };
}

/** Lane key: everything that makes or removes one volume happens one at a time. */
export function volumeLane(finalPath: string): string {
  return `volume ${finalPath}`;
}

/** One fixed name per volume, so that what a crash left is found and replaced by the next try. */
export function temporaryVolumePath(finalPath: string): string {
  const cut = finalPath.lastIndexOf('/') + 1;
  return `${finalPath.slice(0, cut)}.${finalPath.slice(cut)}.creating`;
}

async function baseOf(
  pool: PoolReference,
  backing: { readonly installPath: string; readonly format: 'qcow2' | 'raw' },
  signal: AbortSignal,
): Promise<DiskBase & { readonly virtualSizeBytes: number }> {
  const path = await imagePathIn(pool, backing.installPath);
  const { virtualSizeBytes } = await diskInfo(path, backing.format, signal);
  return { path, format: backing.format, virtualSizeBytes };
}

async function readVolume(path: string, signal: AbortSignal): Promise<DiskInfo> {
  try {
    return await diskInfo(path, 'qcow2', signal);
  } catch (error) {
    signal.throwIfAborted();
    fail('VOLUME_UNREADABLE', `the existing volume ${path} cannot be read: ${describeError(error)}`, error);
  }
}
