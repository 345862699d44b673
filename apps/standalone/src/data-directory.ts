import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode, MillraceError, spawnProgram } from '@millrace/core';

/** Where an instance keeps everything, held for one launcher at a time. */
export interface DataDirectory {
  readonly path: string;
  /** Eight hex characters, made once: they tell this instance's VMs, networks and mounts from all others. */
  readonly instanceId: string;
  /** Lets go of the directory. It happens by itself when the process ends, however it ends. */
  release(): Promise<void>;
}

export interface OpenOptions {
  /** False: the directory must be one already. */
  readonly create: boolean;
  readonly signal: AbortSignal;
}

const idFile = 'instance-id';
const lockFile = 'lock';

/**
 * Takes a data directory, making it (mode 0700) when asked to.
 * @throws MillraceError `DATA_DIRECTORY_IN_USE` when a launcher runs on it, `DATA_DIRECTORY_FOREIGN` when it holds
 * something else, `DATA_DIRECTORY_ABSENT` when there is none and none may be made
 */
export async function openDataDirectory(path: string, options: OpenOptions): Promise<DataDirectory> {
  if (options.create) await mkdir(path, { recursive: true, mode: 0o700 });
  await refuseForeign(path);
  const lock = await takeLock(path, options.signal);
  try {
    // only now: a directory that turned out to be somebody else's must keep its mode
    const directory = await open(path, 'r');
    await directory.chmod(0o700);
    await directory.close();
    return { path, instanceId: await instanceId(path), release: () => lock.close() };
  } catch (error) {
    await lock.close();
    throw error;
  }
}

/** Nobody's home directory may end up as 0700, or be removed by a reset, because of a mistyped option. */
async function refuseForeign(path: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
    throw new MillraceError('DATA_DIRECTORY_ABSENT', `There is no data directory ${path}.`, { cause: error });
  }
  if (names.length === 0 || names.includes(idFile) || names.every((name) => name === lockFile)) return;
  throw new MillraceError(
    'DATA_DIRECTORY_FOREIGN',
    `${path} is not empty and is no data directory of Millrace. Name another one with --data-dir.`,
  );
}

/**
 * An flock on an open file: the kernel drops it when this process ends, also by SIGKILL, so no lock is ever stale. Node
 * cannot take one itself; util-linux' flock takes it on the descriptor it inherits, and the lock stays with ours.
 */
async function takeLock(path: string, signal: AbortSignal): Promise<FileHandle> {
  const file = await open(join(path, lockFile), 'a+', 0o600);
  try {
    const child = spawnProgram('flock', ['--nonblock', '--exclusive', '3'], {
      signal,
      stdio: ['ignore', 'ignore', 'ignore', file.fd],
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) {
      const owner = (await readFile(join(path, lockFile), 'utf8')).trim();
      throw new MillraceError(
        'DATA_DIRECTORY_IN_USE',
        `Millrace is already running on ${path}${owner === '' ? '' : ` (process ${owner})`}. ` +
          'Stop that one first (Ctrl-C where it runs), or start another instance with --data-dir, --port and --agent-port.',
      );
    }
    await file.truncate(0);
    await file.write(`${process.pid}\n`);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function instanceId(path: string): Promise<string> {
  const file = join(path, idFile);
  try {
    const id = (await readFile(file, 'utf8')).trim();
    if (/^[0-9a-f]{8}$/.test(id)) return id;
    if (id !== '') throw new MillraceError('DATA_DIRECTORY_FOREIGN', `${file} does not hold an instance id.`);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
  }
  const id = randomBytes(4).toString('hex');
  await writeFile(file, `${id}\n`, { mode: 0o600, flush: true });
  return id;
}
