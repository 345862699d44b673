import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { hasErrorCode, runProgram } from '@millrace/core';
import { writeBootDisk } from './boot-disk.ts';
import { type CpioEntry, packCpio } from './cpio.ts';
import { orderModules } from './kernel-modules.ts';
import { fetchKernel, type UnpackedKernel } from './kernel-package.ts';

const guestInit = new URL('./guest-init', import.meta.url);
const busyboxPath = '/bin/busybox';
const wantedModules = [
  'virtio_pci',
  'virtio_blk',
  'virtio_net',
  'ata_piix',
  'sr_mod',
  'virtio_scsi',
  'isofs',
  'vfat',
  'nls_cp437',
  'nls_ascii',
  'button',
  'evdev',
];
const commandLine = 'console=tty0 console=ttyS0,115200 quiet panic=5 tsc=unstable';

/** What the guest's line starts with on its serial console, once it has an address or has given up on one. */
export const guestReadyMarker = 'MILLRACE-GUEST: ready';

export interface TinyTemplateOptions {
  /** Kept between builds: the kernel (about 100 MB unpacked) and finished templates. */
  readonly cacheDirectory: string;
  /** Shows up as `template=TAG` in the guest's line, so that a test knows which template it booted. */
  readonly tag: string;
  /** Proxy settings for apt, when the kernel has to be fetched. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface TinyTemplate {
  /** A qcow2 image of about 16 MB. Readable by everyone, as a template is. */
  readonly path: string;
  readonly sizeBytes: number;
  /** False when a template built earlier was found in the cache. */
  readonly builtNow: boolean;
  readonly kernelVersion: string;
}

/**
 * Builds a bootable Linux small enough to try a cloud with: Debian's cloud kernel and busybox, on a disk of about
 * 24 MiB. It says `MILLRACE-GUEST: ready host=… ip=… template=TAG …` on its serial console, about six seconds after
 * the start under emulation, and needs 128 MiB of memory.
 *
 * Needs apt, busybox-static, kmod, syslinux, syslinux-common, mtools, dosfstools and qemu-utils; root is not needed.
 * @throws Error when the tag is not made of letters, digits, `.`, `_` and `-`; MillraceError when a program fails
 */
export async function buildTinyTemplate(options: TinyTemplateOptions): Promise<TinyTemplate> {
  if (!/^[A-Za-z0-9._-]{1,60}$/.test(options.tag)) throw new Error(`unusable template tag: ${options.tag}`);
  await mkdir(options.cacheDirectory, { recursive: true });
  const kernel = await fetchKernel(options);
  const name = `tiny-${kernel.version}-${await recipeDigest()}-${options.tag}.qcow2`;
  const path = join(options.cacheDirectory, name);
  const cached = await sizeOf(path);
  if (cached !== undefined) {
    return { path, sizeBytes: cached, builtNow: false, kernelVersion: kernel.version };
  }
  const scratch = await mkdtemp(join(options.cacheDirectory, '.building-'));
  try {
    const initialFileSystem = gzipSync(packCpio(await guestFiles(kernel, options.tag)), { level: 9 });
    const disk = await writeBootDisk(
      scratch,
      { kernelPath: kernel.imagePath, initialFileSystem, commandLine },
      options.signal,
    );
    const image = join(scratch, name);
    await runProgram('qemu-img', ['convert', '-q', '-f', 'raw', '-O', 'qcow2', disk, image], {
      signal: options.signal,
    });
    await rename(image, path);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return { path, sizeBytes: (await stat(path)).size, builtNow: true, kernelVersion: kernel.version };
}

async function guestFiles(kernel: UnpackedKernel, tag: string): Promise<CpioEntry[]> {
  const modules = orderModules(
    await readFile(join(kernel.modulesDirectory, 'modules.dep'), 'utf8'),
    await readFile(join(kernel.modulesDirectory, 'modules.builtin'), 'utf8'),
    wantedModules,
  );
  const directories = ['bin', 'dev', 'etc', 'lib', 'lib/modules'];
  const entries: CpioEntry[] = directories.map((path) => ({ kind: 'directory', path }));
  // the kernel opens it for the first process before anything is mounted
  entries.push({ kind: 'character-device', path: 'dev/console', major: 5, minor: 1 });
  entries.push({ kind: 'file', path: 'bin/busybox', mode: 0o755, content: await readFile(busyboxPath) });
  entries.push({
    kind: 'file',
    path: 'init',
    mode: 0o755,
    content: await readFile(guestInit),
  });
  entries.push({ kind: 'file', path: 'etc/template', content: Buffer.from(tag) });
  for (const path of modules) {
    const content = await readFile(join(kernel.modulesDirectory, path));
    entries.push({ kind: 'file', path: `lib/modules/${basename(path)}`, content });
  }
  const order = modules.map((path) => `${basename(path)}\n`).join('');
  entries.push({ kind: 'file', path: 'lib/modules/order', content: Buffer.from(order) });
  return entries;
}

/** Part of the template's name, so that none of an older recipe is taken from the cache. */
async function recipeDigest(): Promise<string> {
  const hash = createHash('sha256').update(await readFile(guestInit));
  return hash
    .update([commandLine, ...wantedModules].join('\0'))
    .digest('hex')
    .slice(0, 8);
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
