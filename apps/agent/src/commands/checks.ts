import { lookup } from 'node:dns/promises';
import { constants } from 'node:fs';
import { access, open, readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { connect } from 'node:tls';
import { describeError, hasErrorCode, runProgram } from '@millrace/core';
import { serverCertificateName } from '../config.ts';
import { cpuVirtualises } from '../host/virt-type.ts';
import { makeVirsh } from '../hypervisor/virsh.ts';
import { spaceOf } from '../storage/pool.ts';

export interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'warning' | 'missing';
  readonly says: string;
  /** What to do, as exactly as can be said. */
  readonly fix?: string;
}

export interface CheckOptions {
  readonly serverUrls: readonly string[];
  /** Undefined: the host has no local pool. */
  readonly poolPath?: string | undefined;
  readonly sharedPaths: readonly string[];
  readonly libvirtUri: string;
  readonly role: 'host' | 'image-store';
  /** Of a joined host: its server must prove to be of this CA. */
  readonly caCertificate: string | undefined;
  readonly signal: AbortSignal;
}

const ok = (what: string, says: string): Finding => ({ what, state: 'ok', says });
const missing = (what: string, says: string, fix: string): Finding => ({ what, state: 'missing', says, fix });
const warning = (what: string, says: string, fix: string): Finding => ({ what, state: 'warning', says, fix });

/** Programs the agent runs, their Debian packages, and what is lost without them. */
const programs: readonly (readonly [program: string, packageName: string, lost: string | undefined])[] = [
  ['virsh', 'libvirt-clients', undefined],
  ['libvirtd', 'libvirt-daemon-system', undefined],
  ['qemu-system-x86_64', 'qemu-system-x86', undefined],
  ['qemu-img', 'qemu-utils', undefined],
  ['dnsmasq', 'dnsmasq-base', undefined],
  ['iptables', 'iptables', undefined],
  ['prlimit', 'util-linux', undefined],
  ['xorriso', 'xorriso', 'instances with SSH keys, user data or a password cannot start here'],
  ['bwrap', 'bubblewrap', 'programs that read images run without a sandbox'],
  ['xz', 'xz-utils', '.xz images cannot be unpacked'],
  ['bzip2', 'bzip2', '.bz2 images cannot be unpacked'],
  ['lbzip2', 'lbzip2', '.bz2 images are unpacked on one core'],
  ['zstd', 'zstd', '.zst images are unpacked more slowly'],
  ['igzip', 'isal', '.gz images are unpacked at half the speed'],
  ['rbd', 'ceph-common', 'RBD storage pools cannot be used (they need qemu-block-extra, too)'],
  ['nfs-cat', 'libnfs-utils', 'images cannot be read from nfs:// URLs'],
];

/** What a machine that only looks after image stores needs of them. */
const forImages = new Set([
  'qemu-img',
  'prlimit',
  'bwrap',
  'xz',
  'bzip2',
  'lbzip2',
  'zstd',
  'igzip',
  'nfs-cat',
]);

/** Everything that keeps this machine from being a good host, and what is fine. */
export async function checkHost(options: CheckOptions): Promise<Finding[]> {
  const runsInstances = options.role === 'host';
  const needed = runsInstances ? programs : programs.filter(([program]) => forImages.has(program));
  const findings = await Promise.all([
    checkRoot(),
    ...needed.map((entry) => checkProgram(...entry)),
    ...(runsInstances ? [checkCpu(), checkLibvirt(options), checkName(), checkPool(options.poolPath)] : []),
    ...options.sharedPaths.map(checkShared),
    ...options.serverUrls.map((url) => checkServer(url, options)),
  ]);
  return findings.flat();
}

/** The one command that installs every package that is missing. */
export function installCommand(findings: readonly Finding[]): string | undefined {
  const lacking = findings.flatMap(({ state, fix }) =>
    state === 'ok'
      ? []
      : [/^apt-get install -y (\S+)/.exec(fix ?? '')?.[1]].filter((name) => name !== undefined),
  );
  return lacking.length === 0 ? undefined : `apt-get install -y ${[...new Set(lacking)].join(' ')}`;
}

async function checkRoot(): Promise<Finding> {
  return process.getuid?.() === 0
    ? ok('root', 'the agent is root')
    : missing('root', 'the agent is not root: libvirt and storage need it', 'run it with sudo');
}

async function checkCpu(): Promise<Finding> {
  const emulated = 'guests are emulated, many times slower';
  if (!cpuVirtualises(await readFile('/proc/cpuinfo', 'utf8')))
    return warning(
      'KVM',
      `the CPU shows neither vmx nor svm: ${emulated}`,
      'switch virtualisation on in the firmware, or nested virtualisation on the host above',
    );
  try {
    await (await open('/dev/kvm', constants.O_RDWR)).close();
    return ok('KVM', '/dev/kvm opens');
  } catch (error) {
    return warning('KVM', `${describeError(error)}: ${emulated}`, 'modprobe kvm_intel || modprobe kvm_amd');
  }
}

async function checkProgram(
  program: string,
  packageName: string,
  lost: string | undefined,
): Promise<Finding> {
  const fix = `apt-get install -y ${packageName}`;
  for (const directory of [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']) {
    try {
      await access(`${directory}/${program}`, constants.X_OK);
      return ok(program, `${directory}/${program}`);
    } catch {
      // in the next directory perhaps
    }
  }
  return lost === undefined
    ? missing(program, 'is not installed, and nothing works without it', fix)
    : warning(program, `is not installed: ${lost}`, fix);
}

async function checkLibvirt({ libvirtUri, signal }: CheckOptions): Promise<Finding> {
  try {
    const printed = await makeVirsh({ uri: libvirtUri })(['version'], {
      signal: AbortSignal.any([signal, AbortSignal.timeout(20_000)]),
    });
    return ok('libvirt', /^Running hypervisor: (.+)$/m.exec(printed)?.[1] ?? 'answers');
  } catch (error) {
    return missing(
      'libvirt',
      describeError(error),
      'systemctl enable --now libvirtd (without systemd: virtlogd -d; libvirtd -d)',
    );
  }
}

async function checkName(): Promise<Finding> {
  const name = hostname();
  const begun = performance.now();
  try {
    const { address } = await lookup(name);
    const ms = performance.now() - begun;
    if (ms < 2000) return ok('name', `${name} is ${address}`);
  } catch {
    // said below
  }
  return warning(
    'name',
    `${name} does not resolve: libvirt looks it up at every start of a guest and waits ten seconds`,
    `echo '127.0.1.1 ${name}' >> /etc/hosts`,
  );
}

async function checkPool(path: string | undefined): Promise<Finding> {
  if (path === undefined)
    return warning('pool', 'no local storage pool', 'set MILLRACE_POOL_PATH, unless shared pools are enough');
  try {
    const { mode } = await stat(path);
    if ((mode & 0o001) === 0) return missing('pool', `${path} is closed to QEMU's user`, `chmod o+x ${path}`);
    const { availableBytes, capacityBytes } = await spaceOf(path);
    return ok('pool', `${path}: ${gibibytes(availableBytes)} of ${gibibytes(capacityBytes)} GiB free`);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT'))
      return warning('pool', `${path} does not exist`, `mkdir -p -m 0711 ${path} (join does it)`);
    return missing('pool', describeError(error), `see to it that ${path} is a directory that can be written`);
  }
}

async function checkShared(path: string): Promise<Finding> {
  try {
    await runProgram('mountpoint', ['-q', path], { signal: AbortSignal.timeout(10_000) });
    const { availableBytes, capacityBytes } = await spaceOf(path);
    return ok('shared', `${path}: ${gibibytes(availableBytes)} of ${gibibytes(capacityBytes)} GiB free`);
  } catch {
    return missing('shared', `nothing is mounted on ${path}`, `mount it, and put it into /etc/fstab`);
  }
}

/** Whether the port answers by TLS, and, of a joined host, as a server of its cloud. */
async function checkServer(serverUrl: string, { caCertificate, signal }: CheckOptions): Promise<Finding> {
  const url = new URL(serverUrl);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 443),
    servername: serverCertificateName,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: caCertificate !== undefined,
    ...(caCertificate === undefined ? {} : { ca: caCertificate }),
  });
  socket.once('secureConnect', resolve);
  socket.once('error', reject);
  const giveUp = () => reject(new Error('no answer within 10 s'));
  const timer = setTimeout(giveUp, 10_000);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await promise;
    return ok('server', `${serverUrl} answers`);
  } catch (error) {
    return missing(
      'server',
      `${serverUrl}: ${describeError(error)}`,
      `see that the server runs and that this host may reach port ${url.port || 443} of ${url.hostname}`,
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
    socket.destroy();
  }
}

function gibibytes(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(1);
}
