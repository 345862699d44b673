import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasErrorCode } from '@millrace/core';

/**
 * Writes a file that only its owner can read, whole or not at all: under another name first, then renamed. Its directory
 * is made, for the owner alone, when it is missing.
 */
export async function writePrivateFile(path: string, text: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.${process.pid}.partial`;
  try {
    // an own descriptor, since writeFile leaves the mode of a file that exists as it is
    await using file = await open(partial, 'w', 0o600);
    await file.chmod(0o600);
    await file.writeFile(text, { signal });
    await file.sync();
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** The text of a file; `undefined` when there is none. */
export async function readTextIfAny(path: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await readFile(path, { encoding: 'utf8', signal });
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
