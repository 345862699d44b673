import { access, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { MillraceError, runProgram } from '@millrace/core';

/** Debian packages Millrace cannot do without, and what for. */
export const corePackages = {
  postgresql: 'the database',
  'qemu-system-x86': 'runs VMs',
  'qemu-utils': 'creates and checks disks (qemu-img)',
  'libvirt-daemon-system': 'manages VMs and networks',
  'libvirt-clients': 'talks to libvirt (virsh)',
  'dnsmasq-base': 'gives guests their addresses (DHCP)',
  iptables: 'lets guests reach the network (NAT)',
  iproute2: 'shows which networks are taken',
  xorriso: 'makes the drive that hands SSH keys and user data to guests',
  bubblewrap: 'confines programs that read images',
  isal: 'unpacks .gz images at twice the speed (igzip)',
  zstd: 'unpacks .zst images on a core of its own',
  'xz-utils': 'unpacks .xz images',
  bzip2: 'bzip2 archives of which only the beginning is read',
  lbzip2: 'unpacks .bz2 images on all cores',
  'libnfs-utils': 'reads images from NFS servers without mounting them',
} as const;

/** What the demo's tiny template is built with. */
export const demoPackages = {
  'busybox-static': 'all programs of the tiny guest',
  kmod: 'lists the drivers that its kernel needs',
  syslinux: 'boots it',
  'syslinux-common': 'boots it',
  mtools: 'fills its disk without mounting it',
  dosfstools: 'formats its disk',
} as const;

/** What only tests need. */
export const testPackages = {
  'nfs-ganesha': 'the NFS server that images are fetched from',
  'nfs-ganesha-vfs': 'lets it export directories',
  'nfs-common': 'mounts NFS shares, where the kernel can',
  pigz: 'packs the image of the benchmark',
  'nginx-light': 'serves it',
  gcc: 'compiles what mounts them where it cannot (test/lab/nfs-mount.c)',
  'libc6-dev': 'what it is compiled with',
  'libnfs-dev': 'what it talks to servers with',
  'libfuse3-dev': 'what it shows files with',
  fuse3: 'lets it show them',
  chromium: 'the browser that the console is tried in',
  rpcbind: 'tells clients of NFS version 3 its ports',
  'ceph-mon': 'the Ceph cluster that images are put into (test/lab/ceph.ts)',
  'ceph-mgr': 'tells its capacity',
  'ceph-osd': 'holds its data',
  'ceph-common': 'works on its images',
  'qemu-block-extra': 'opens its images for QEMU',
} as const;

export interface PackageOptions {
  readonly wanted: Readonly<Record<string, string>>;
  /** False: say what is missing instead of installing it. */
  readonly install: boolean;
  /** Proxy settings for apt. */
  readonly environment: Readonly<Record<string, string>>;
  readonly note: (text: string) => void;
  readonly signal: AbortSignal;
}

const clusterSettingsDirectory = '/etc/postgresql-common/createcluster.d';
const clusterSettings = `${clusterSettingsDirectory}/millrace.conf`;
const installTimeoutMs = 60 * 60_000;
const aptOptions = ['-q', '-y', '-o', 'DPkg::Lock::Timeout=300'];

/**
 * Makes sure that Debian packages are installed, asking apt only when one is missing.
 * @returns the packages installed now
 * @throws MillraceError `PACKAGES_MISSING` with the exact command to run, when they may not or cannot be installed
 */
export async function ensurePackages(options: PackageOptions): Promise<string[]> {
  const { wanted, signal } = options;
  const missing = missingPackages(await installedPackages(signal), Object.keys(wanted));
  if (missing.length === 0) return [];
  if (!options.install) {
    throw missingError(missing, wanted, 'and --no-install forbids installing them');
  }
  if (!(await isDebian())) throw missingError(missing, wanted, 'and this is no Debian');
  options.note(`installing ${missing.join(' ')}`);
  // In a session of its own and under a signal of its own: Ctrl-C must not end dpkg half-way through a package.
  const untilDone = AbortSignal.timeout(installTimeoutMs);
  const run = (argv: readonly string[]) =>
    runProgram('setsid', ['apt-get', ...aptOptions, ...argv], {
      signal: untilDone,
      env: { ...options.environment, DEBIAN_FRONTEND: 'noninteractive' },
    });
  try {
    await run(['update']);
    signal.throwIfAborted();
    await withoutMainCluster(missing.includes('postgresql'), () =>
      run(['install', '--no-install-recommends', ...missing]),
    );
  } catch (error) {
    signal.throwIfAborted();
    throw missingError(missing, wanted, 'and apt-get could not install them', error);
  }
  signal.throwIfAborted();
  return missing;
}

/** The command an administrator would type. */
export function installCommand(packages: readonly string[]): string {
  return `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`;
}

/**
 * @param dpkgOutput lines `status package`, as `dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n'` prints them;
 * `ii` is installed
 */
export function missingPackages(dpkgOutput: string, wanted: readonly string[]): string[] {
  const installed = new Set<string>();
  for (const line of dpkgOutput.split('\n')) {
    const [status, name] = line.trim().split(/\s+/);
    // the second letter is what is the case, the first what is wanted ("hold" is fine too)
    if (status?.[1] === 'i' && name !== undefined) installed.add(name);
  }
  return wanted.filter((name) => !installed.has(name));
}

async function installedPackages(signal: AbortSignal): Promise<string> {
  try {
    const { stdout } = await runProgram('dpkg-query', ['-W', '-f=${db:Status-Abbrev} ${Package}\n'], {
      signal,
    });
    return stdout;
  } catch (error) {
    if (signal.aborted) throw error;
    // no dpkg: no Debian, which is said with the list of what is missing
    return '';
  }
}

/**
 * Debian's postgresql creates and starts a database cluster of its own as it is installed. Millrace has its private
 * one and wants no other on the machine, so it asks the package not to; later installations are not affected.
 */
async function withoutMainCluster<T>(applies: boolean, install: () => Promise<T>): Promise<T> {
  if (!applies) return install();
  const madeDirectory = await mkdir(clusterSettingsDirectory, { recursive: true });
  await writeFile(
    clusterSettings,
    '# written by Millrace while it installs PostgreSQL\ncreate_main_cluster = false\n',
  );
  try {
    return await install();
  } finally {
    await rm(clusterSettings, { force: true });
    if (madeDirectory !== undefined) await rmdir(clusterSettingsDirectory).catch(() => {});
  }
}

async function isDebian(): Promise<boolean> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const apt = await access('/usr/bin/apt-get').then(
    () => true,
    () => false,
  );
  return apt && /^ID(_LIKE)?=.*\bdebian\b/m.test(release);
}

function missingError(
  missing: readonly string[],
  wanted: Readonly<Record<string, string>>,
  why: string,
  cause?: unknown,
): MillraceError {
  const list = missing.map((name) => `  ${name.padEnd(22)} ${wanted[name] ?? ''}`).join('\n');
  return new MillraceError(
    'PACKAGES_MISSING',
    `${missing.length} system package(s) are missing, ${why}:\n${list}\nAs root, run:\n  ${installCommand(missing)}\nand then npm start again.`,
    { cause },
  );
}
