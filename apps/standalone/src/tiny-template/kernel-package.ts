import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode, MillraceError, runProgram } from '@millrace/core';

/** A Linux kernel unpacked from Debian's package, never installed on this machine. */
export interface UnpackedKernel {
  /** Such as `6.1.0-42-cloud-amd64`. */
  readonly version: string;
  readonly imagePath: string;
  /** Holds `modules.dep`. */
  readonly modulesDirectory: string;
}

export interface KernelOptions {
  readonly cacheDirectory: string;
  /** Proxy settings for apt. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

const metaPackage = 'linux-image-cloud-amd64';

/**
 * Fetches Debian's kernel for virtual machines (small, and quick to unpack) with apt, which checks its signature, and
 * unpacks it below `cacheDirectory`. A kernel that is there already is used as it is, also without a network.
 * @throws MillraceError `DEMO_KERNEL_UNAVAILABLE` when apt knows no such package even after an update
 */
export async function fetchKernel({
  cacheDirectory,
  environment = {},
  signal,
}: KernelOptions): Promise<UnpackedKernel> {
  const directory = join(cacheDirectory, 'kernel');
  await mkdir(directory, { recursive: true });
  const cached = (await readdir(directory)).filter((name) => !name.startsWith('.')).sort();
  for (const name of cached.reverse()) {
    const kernel = await readKernel(join(directory, name));
    if (kernel) return kernel;
  }
  const packageName = await findKernelPackage(environment, signal);
  const scratch = await mkdtemp(join(directory, '.unpacking-'));
  try {
    // Without the option apt warns that its own user cannot write here; the packages' signatures are checked either way.
    await runProgram('apt-get', ['download', '-q', '-o', 'APT::Sandbox::User=root', packageName], {
      signal,
      cwd: scratch,
      env: environment,
    });
    const file = (await readdir(scratch)).find((name) => name.endsWith('.deb'));
    if (file === undefined) throw new Error(`apt-get downloaded no file for ${packageName}`);
    const tree = join(scratch, 'tree');
    await runProgram('dpkg', ['-x', join(scratch, file), tree], { signal });
    const kernel = await readKernel(tree, false);
    if (!kernel) throw new Error(`the package ${packageName} holds no kernel`);
    await runProgram('depmod', ['-b', tree, kernel.version], { signal });
    const target = join(directory, kernel.version);
    await rename(tree, target).catch(async (error: unknown) => {
      // somebody else unpacked the same kernel meanwhile
      if (!hasErrorCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    });
    const unpacked = await readKernel(target);
    if (!unpacked)
      throw new Error(`the kernel in ${target} is incomplete; remove the directory and try again`);
    return unpacked;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function readKernel(tree: string, withDependencies = true): Promise<UnpackedKernel | undefined> {
  const images = await namesIn(join(tree, 'boot'));
  const version = images.find((name) => name.startsWith('vmlinuz-'))?.slice('vmlinuz-'.length);
  if (version === undefined) return undefined;
  const modulesDirectory = join(tree, 'lib/modules', version);
  const files = await namesIn(modulesDirectory);
  if (withDependencies && !files.includes('modules.dep')) return undefined;
  return { version, imagePath: join(tree, 'boot', `vmlinuz-${version}`), modulesDirectory };
}

/** The meta package names the current kernel; only that one can be downloaded. */
async function findKernelPackage(
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> {
  const known = await kernelPackage(signal);
  if (known !== undefined) return known;
  await runProgram('apt-get', ['update', '-q', '-o', 'DPkg::Lock::Timeout=300'], {
    signal,
    env: environment,
  });
  const found = await kernelPackage(signal);
  if (found !== undefined) return found;
  throw new MillraceError(
    'DEMO_KERNEL_UNAVAILABLE',
    `apt knows no package ${metaPackage}, from which the tiny template takes its kernel. ` +
      'Check /etc/apt/sources.list (the demo needs Debian on x86-64), or start with --no-demo.',
  );
}

async function kernelPackage(signal: AbortSignal): Promise<string | undefined> {
  try {
    const { stdout } = await runProgram('apt-cache', ['depends', metaPackage], { signal });
    return /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
  } catch (error) {
    if (hasErrorCode(error, 'PROGRAM_FAILED')) return undefined;
    throw error;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
}
