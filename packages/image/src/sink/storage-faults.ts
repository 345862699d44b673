import { statfs } from 'node:fs/promises';
import { describeError, hasErrorCode } from '@millrace/core';
import { FetchFault } from '../errors.ts';

/** Turns an error of the file system into a fault of the registry. */
export async function storageFault(
  error: unknown,
  directory: string,
  writtenBytes: number,
): Promise<FetchFault> {
  if (error instanceof FetchFault) return error;
  if (hasErrorCode(error, 'ENOSPC', 'EDQUOT', 'EFBIG')) {
    const space = await spaceOf(directory);
    const figures = space === undefined ? '' : `, ${space.freeBytes} bytes are free`;
    return new FetchFault('POOL_FULL', `${directory} after ${writtenBytes} bytes of the image${figures}`, {
      cause: error,
    });
  }
  return new FetchFault('POOL_UNAVAILABLE', `${directory}: ${describeError(error)}`, { cause: error });
}

/** Bytes of a file system, and those of them an unprivileged writer can still use; `undefined` when it does not tell. */
export async function spaceOf(
  directory: string,
): Promise<{ readonly capacityBytes: number; readonly freeBytes: number } | undefined> {
  try {
    const { bavail, blocks, bsize } = await statfs(directory);
    return { capacityBytes: blocks * bsize, freeBytes: bavail * bsize };
  } catch {
    return undefined;
  }
}
