import { basename } from 'node:path';
import { describeError, MillraceError, runProgram } from '@millrace/core';
import { z } from 'zod';
import { fail } from '../failure.ts';

export type DiskFormat = 'qcow2' | 'raw';

export interface DiskInfo {
  readonly virtualSizeBytes: number;
  /** Space really taken. */
  readonly physicalSizeBytes: number;
  readonly backing: { readonly path: string; readonly format: string | undefined } | undefined;
}

const infoOutput = z.object({
  'virtual-size': z.number().int().nonnegative(),
  'actual-size': z.number().int().nonnegative(),
  'backing-filename': z.string().optional(),
  'full-backing-filename': z.string().optional(),
  'backing-filename-format': z.string().optional(),
});

/** Headers are small: a program that needs more than this on one is being led astray by a hostile image. */
const limits = ['--as=1073741824', '--cpu=20', '--nofile=64'] as const;
const timeoutMs = 60_000;

/**
 * Reads a disk's header. The format is always told, never probed: a raw disk may hold whatever its guest wrote, a
 * qcow2 header naming a file of the host included. Only this one file is opened, not its backing file.
 * @throws AgentFailure `QEMU_IMG_FAILED`
 */
export async function diskInfo(path: string, format: DiskFormat, signal: AbortSignal): Promise<DiskInfo> {
  // -U: a running guest holds the lock, and the header may be read all the same
  const { stdout } = await qemuImg(['info', '-U', '--output=json', '-f', format, path], signal);
  const info = infoOutput.parse(JSON.parse(stdout));
  const backingPath = info['full-backing-filename'] ?? info['backing-filename'];
  return {
    virtualSizeBytes: info['virtual-size'],
    physicalSizeBytes: info['actual-size'],
    backing:
      backingPath === undefined ? undefined : { path: backingPath, format: info['backing-filename-format'] },
  };
}

/** What an overlay stands on: a file of the same directory. */
export interface DiskBase {
  /** Absolute. */
  readonly path: string;
  readonly format: DiskFormat;
}

/** Creates a qcow2 disk of `sizeBytes`: an overlay on its base, or an empty one. @throws AgentFailure `QEMU_IMG_FAILED` */
export async function createDisk(
  path: string,
  options: { readonly base?: DiskBase; readonly sizeBytes: number; readonly signal: AbortSignal },
): Promise<void> {
  const { base, sizeBytes, signal } = options;
  // by its name within the directory: the disk stays whole when the directory is elsewhere, on another host for one
  const backing = base ? ['-b', basename(base.path), '-F', base.format] : [];
  await qemuImg(['create', '-q', '-f', 'qcow2', ...backing, path, String(sizeBytes)], signal);
}

/** Makes a disk that no VM uses larger. @throws AgentFailure `QEMU_IMG_FAILED` */
export async function growDisk(path: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
  await qemuImg(['resize', '-q', '-f', 'qcow2', path, String(sizeBytes)], signal);
}

async function qemuImg(argv: readonly string[], signal: AbortSignal) {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await runProgram('prlimit', [...limits, '--', 'qemu-img', ...argv], {
      signal: AbortSignal.any([signal, timeout]),
    });
  } catch (error) {
    signal.throwIfAborted();
    const subject = `qemu-img ${argv[0]} ${argv.find((argument) => argument.startsWith('/')) ?? ''}`;
    if (timeout.aborted)
      fail('QEMU_IMG_FAILED', `${subject} did not end within ${timeoutMs / 1000} s`, error);
    if (error instanceof MillraceError && error.code === 'PROGRAM_FAILED') {
      const { exitCode, stderr } = error.details;
      if (exitCode === 127) {
        fail(
          'QEMU_IMG_FAILED',
          'qemu-img is not installed on this host: install the package qemu-utils',
          error,
        );
      }
      fail(
        /no space left/i.test(String(stderr)) ? 'POOL_FULL' : 'QEMU_IMG_FAILED',
        describeError(error),
        error,
      );
    }
    throw error;
  }
}
