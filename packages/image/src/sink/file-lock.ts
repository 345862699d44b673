import type { FileHandle } from 'node:fs/promises';
import { spawnProgram } from '@millrace/core';

/**
 * Locks an open file for this process and nobody else, until it is closed or the process dies, however it dies. Node has no
 * such call: `flock` (util-linux) locks the open file that it is handed, and the lock stays with it when the program ends.
 * @returns false when somebody else has the lock, or there is no way to have one: then it must be taken to be in use
 */
export async function tryLock(handle: FileHandle, signal: AbortSignal): Promise<boolean> {
  const child = spawnProgram('flock', ['--exclusive', '--nonblock', '3'], {
    signal,
    stdio: ['ignore', 'ignore', 'ignore', handle.fd],
  });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  child.once('error', () => resolve(false));
  child.once('close', (code) => resolve(code === 0));
  return promise;
}
