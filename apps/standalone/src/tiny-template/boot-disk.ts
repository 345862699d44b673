import { mkdir, open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@millrace/core';

const mebibyte = 1024 * 1024;
const sectorBytes = 512;
/** Where the only partition starts: one mebibyte in, like every partitioning tool does it. */
const partitionStartBytes = mebibyte;
const bootCodePath = '/usr/lib/syslinux/mbr/mbr.bin';

export interface BootFiles {
  readonly kernelPath: string;
  readonly initialFileSystem: Uint8Array;
  readonly commandLine: string;
}

/**
 * Writes a raw disk that a BIOS can boot: a master boot record and one FAT16 partition with SYSLINUX, the kernel and
 * its initial file system. Works on plain files: no loop device, no mount.
 * @returns the path of the disk
 */
export async function writeBootDisk(
  directory: string,
  files: BootFiles,
  signal: AbortSignal,
): Promise<string> {
  await mkdir(directory, { recursive: true });
  const initialPath = join(directory, 'initrd.gz');
  const configPath = join(directory, 'syslinux.cfg');
  await writeFile(initialPath, files.initialFileSystem);
  await writeFile(configPath, syslinuxConfig(files.commandLine));

  const content = (await stat(files.kernelPath)).size + files.initialFileSystem.length;
  const partitionBytes = (Math.ceil(content / mebibyte) + 4) * mebibyte;
  const fatPath = join(directory, 'partition.fat');
  await writeFile(fatPath, '');
  await truncate(fatPath, partitionBytes);
  const hidden = String(partitionStartBytes / sectorBytes);
  await runProgram('mkfs.vfat', ['-F', '16', '-s', '4', '-h', hidden, '-n', 'MILLRACE', fatPath], { signal });
  await runProgram('mcopy', ['-i', fatPath, files.kernelPath, '::linux'], { signal });
  await runProgram('mcopy', ['-i', fatPath, initialPath, configPath, '::'], { signal });
  await runProgram('syslinux', ['--install', fatPath], { signal });

  const diskPath = join(directory, 'disk.raw');
  const disk = await open(diskPath, 'w');
  try {
    await disk.write(masterBootRecord(await readFile(bootCodePath), partitionBytes), 0, undefined, 0);
    await disk.write(await readFile(fatPath), 0, undefined, partitionStartBytes);
  } finally {
    await disk.close();
  }
  return diskPath;
}

function syslinuxConfig(commandLine: string): string {
  return [
    'SERIAL 0 115200',
    'DEFAULT tiny',
    'PROMPT 0',
    'TIMEOUT 1',
    'LABEL tiny',
    '  KERNEL linux',
    '  INITRD initrd.gz',
    `  APPEND ${commandLine}`,
    '',
  ].join('\n');
}

/**
 * The first sector of a disk with one active FAT16 partition (type 0x0e, addressed by LBA; the old cylinder fields say
 * "beyond reach").
 * @throws Error when the boot code is longer than the 440 bytes it may have
 */
export function masterBootRecord(bootCode: Uint8Array, partitionBytes: number): Buffer {
  if (bootCode.length > 440) throw new Error(`boot code of ${bootCode.length} bytes: at most 440 fit`);
  const record = Buffer.alloc(sectorBytes);
  record.set(bootCode);
  const entry = 446;
  record.set([0x80, 0xfe, 0xff, 0xff, 0x0e, 0xfe, 0xff, 0xff], entry);
  record.writeUInt32LE(partitionStartBytes / sectorBytes, entry + 8);
  record.writeUInt32LE(partitionBytes / sectorBytes, entry + 12);
  record.writeUInt16LE(0xaa55, 510);
  return record;
}
