import { chmod, mkdir, readFile, rmdir, stat } from 'node:fs/promises';
import { hasErrorCode, runProgram, sleep } from '@millrace/core';

/**
 * Where an instance's database and pool are seen by programs that run as other users. The data directory is root's alone
 * and may lie below a closed one such as /root: neither PostgreSQL nor QEMU could walk there. Bind mounts below /run give
 * each of them a way to its own directory and to nothing else.
 */
export interface RuntimePaths {
  readonly base: string;
  readonly postgres: string;
  readonly pool: string;
}

const runtimeDirectory = '/run/millrace';

export function runtimePaths(instanceId: string): RuntimePaths {
  const base = `${runtimeDirectory}/${instanceId}`;
  return { base, postgres: `${base}/postgres`, pool: `${base}/pool` };
}

/**
 * Makes `target` show the directory `source`, unless it does already.
 * @returns true when it had to be mounted
 */
export async function bindMount(source: string, target: string, signal: AbortSignal): Promise<boolean> {
  // what others may pass through must not depend on the umask of whoever starts Millrace
  await mkdir(target, { recursive: true });
  await chmod(runtimeDirectory, 0o755);
  await chmod(target.slice(0, target.lastIndexOf('/')), 0o755);
  const [from, to] = await Promise.all([stat(source), stat(target)]);
  if (from.dev === to.dev && from.ino === to.ino) return false;
  if (await isMountPoint(target)) await unmount(target, signal);
  await runProgram('mount', ['--bind', '--', source, target], { signal });
  return true;
}

/** Takes a mount away, if it is there, and its empty directory with it. */
export async function removeMount(target: string, signal: AbortSignal): Promise<boolean> {
  const mounted = await isMountPoint(target);
  if (mounted) await unmount(target, signal);
  try {
    await rmdir(target);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT', 'ENOTEMPTY')) throw error;
  }
  return mounted;
}

/** A program that is just ending may keep it busy for a moment; after that it is taken out of sight all the same. */
async function unmount(target: string, signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < 40; tries++) {
    try {
      await runProgram('umount', ['--', target], { signal });
      return;
    } catch (error) {
      if (!hasErrorCode(error, 'PROGRAM_FAILED')) throw error;
      await sleep(250, signal);
    }
  }
  await runProgram('umount', ['--lazy', '--', target], { signal });
}

async function isMountPoint(path: string): Promise<boolean> {
  return mountPoints(await readFile('/proc/self/mountinfo', 'utf8')).includes(path);
}

/** Reads the mount points from `/proc/self/mountinfo` (proc(5): the fifth field, with octal escapes). */
export function mountPoints(mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((point) => point !== undefined)
    .map((point) =>
      point.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
    );
}
