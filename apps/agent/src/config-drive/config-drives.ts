import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { VmSpec } from '@millrace/agent-protocol';
import { describeError, hasErrorCode, runProgram } from '@millrace/core';
import { fail } from '../failure.ts';
import { type DriveFile, driveFiles } from './drive-files.ts';

/** The drives that hand keys, user data and passwords to guests: one ISO for each VM. */
export interface ConfigDrives {
  /**
   * Makes a VM's drive anew, or takes away the one it had when it has none any more.
   * @returns its path, or undefined when there is none
   * @throws AgentFailure `CONFIG_DRIVE_FAILED`
   */
  place(vm: VmSpec, signal: AbortSignal): Promise<string | undefined>;
  remove(vmUuid: string): Promise<void>;
}

/** In memory: a drive may hold a password, and every start makes it anew. */
export const configDriveDirectory = '/run/millrace/config-drives';

/** By this label guests know the drive (OpenStack's ConfigDrive). */
export const driveLabel = 'config-2';

const timeoutMs = 60_000;

/**
 * Nobody but root, and QEMU's user while the VM runs (libvirt gives it the file), can read a drive or what it is made
 * from; everybody may pass through the directory, as QEMU has to. Callers see to it that a VM has one call at a time.
 */
export function makeConfigDrives(directory = configDriveDirectory): ConfigDrives {
  const pathsOf = (vmUuid: string) => {
    // in references to a VM it is a UUID by the protocol; as part of a path it is looked at all the same
    if (!/^[0-9a-f-]{36}$/i.test(vmUuid))
      fail('VM_MISSING', 'the UUID is not one that a virtual machine can have', undefined, 'stop');
    return { drive: join(directory, `${vmUuid}.iso`), scratch: join(directory, `.making-${vmUuid}`) };
  };
  const remove = async (vmUuid: string) => {
    const { drive, scratch } = pathsOf(vmUuid);
    await rm(scratch, { recursive: true, force: true });
    await rm(drive, { force: true });
  };
  return {
    remove,
    async place(vm, signal) {
      await remove(vm.uuid);
      if (!vm.configDrive) return undefined;
      const { drive, scratch } = pathsOf(vm.uuid);
      await mkdir(directory, { recursive: true, mode: 0o711 });
      await mkdir(scratch, { mode: 0o700 });
      try {
        const image = join(scratch, 'image.iso');
        // there before the program writes it, so that it has this mode from its first byte on
        await writeFile(image, '', { mode: 0o600 });
        await writeImage(driveFiles(vm), { tree: join(scratch, 'tree'), image, signal });
        await rename(image, drive);
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
      return drive;
    },
  };
}

async function writeImage(
  files: readonly DriveFile[],
  options: { readonly tree: string; readonly image: string; readonly signal: AbortSignal },
): Promise<void> {
  const { tree, image, signal } = options;
  for (const { path, content } of files) {
    await mkdir(dirname(join(tree, path)), { recursive: true, mode: 0o700 });
    await writeFile(join(tree, path), content, { mode: 0o600 });
  }
  // Rock Ridge and Joliet, so that Linux and Windows both see the long lower-case names
  const argv = ['-quiet', '-V', driveLabel, '-r', '-J', '-joliet-long', '-o', image, tree];
  const run = async (program: string, all: readonly string[]) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    await runProgram(program, all, { signal: AbortSignal.any([signal, timeout]) });
  };
  try {
    await run('xorriso', ['-no_rc', '-as', 'mkisofs', ...argv]).catch((error: unknown) => {
      if (!hasErrorCode(error, 'PROGRAM_MISSING')) throw error;
      return run('genisoimage', argv);
    });
  } catch (error) {
    signal.throwIfAborted();
    fail(
      'CONFIG_DRIVE_FAILED',
      hasErrorCode(error, 'PROGRAM_MISSING')
        ? 'neither xorriso nor genisoimage is installed on this host: install the package xorriso'
        : `the config drive could not be made: ${describeError(error)}`,
      error,
    );
  }
}
