import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { hasErrorCode } from '@millrace/core';
import { fail } from '../failure.ts';

/** Serial consoles' logs, written by virtlogd (or QEMU) in libvirt's own log directory. */
export interface ConsoleLogs {
  pathOf(instanceName: string): string;
  /** libvirt does not start a domain whose log directory is missing. */
  ensureDirectory(): Promise<void>;
  /** Bytes from `offset`. When the log became shorter than that (it was rotated), reading begins anew at its start. */
  read(
    instanceName: string,
    options: { readonly offset: number; readonly limit: number },
  ): Promise<{ data: Buffer; nextOffset: number }>;
  /** Removes the log and its rotated predecessors. */
  remove(instanceName: string): Promise<void>;
}

export const libvirtLogDirectory = '/var/log/libvirt/qemu';

export function makeConsoleLogs(directory = libvirtLogDirectory): ConsoleLogs {
  const pathOf = (instanceName: string) => {
    // in references to a VM the protocol leaves this name free: as part of a path it must be a plain one
    if (!/^[A-Za-z0-9-]{1,60}$/.test(instanceName))
      fail('VM_MISSING', 'the name is not one that a virtual machine can have', undefined, 'stop');
    return join(directory, `${instanceName}-serial.log`);
  };
  return {
    pathOf,
    async ensureDirectory() {
      await mkdir(directory, { recursive: true, mode: 0o750 });
    },

    async read(instanceName, { offset, limit }) {
      let handle: Awaited<ReturnType<typeof open>>;
      try {
        handle = await open(pathOf(instanceName), 'r');
      } catch (error) {
        if (hasErrorCode(error, 'ENOENT')) return { data: Buffer.alloc(0), nextOffset: 0 };
        throw error;
      }
      try {
        const { size } = await handle.stat();
        const start = offset > size ? 0 : offset;
        const buffer = Buffer.alloc(Math.min(limit, size - start));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
        return { data: buffer.subarray(0, bytesRead), nextOffset: start + bytesRead };
      } finally {
        await handle.close();
      }
    },

    async remove(instanceName) {
      const name = basename(pathOf(instanceName));
      let present: string[];
      try {
        present = await readdir(directory);
      } catch (error) {
        if (hasErrorCode(error, 'ENOENT')) return;
        throw error;
      }
      // virtlogd rotates to NAME.0, NAME.1, …
      const ours = present.filter(
        (file) => file.startsWith(name) && /^(\.\d+)?$/.test(file.slice(name.length)),
      );
      for (const file of ours) await rm(join(directory, file), { force: true });
    },
  };
}
