import { access, mkdir } from 'node:fs/promises';
import { describeError, hasErrorCode, MillraceError, runProgram, sleep } from '@millrace/core';

const uri = 'qemu:///system';
const answerTimeoutMs = 60_000;

/**
 * Makes sure that libvirt answers: asks the service manager to start it, or starts its daemons where there is none. They
 * are left running when Millrace ends, because the VMs live under them.
 * @returns how it came to run, for the person at the terminal
 * @throws MillraceError `LIBVIRT_UNAVAILABLE` with what to look at
 */
export async function ensureLibvirt(signal: AbortSignal): Promise<string> {
  const version = await libvirtVersion(signal);
  if (version !== undefined) return `${version}, running`;
  let how: string;
  try {
    how = await startLibvirt(signal);
  } catch (error) {
    if (signal.aborted) throw error;
    throw unavailable(describeError(error), error);
  }
  const deadline = performance.now() + answerTimeoutMs;
  for (;;) {
    const started = await libvirtVersion(signal);
    if (started !== undefined) return `${started}, ${how}`;
    if (performance.now() > deadline) throw unavailable(`no answer within ${answerTimeoutMs / 1000} s`);
    await sleep(100, signal);
  }
}

async function startLibvirt(signal: AbortSignal): Promise<string> {
  if (await exists('/run/systemd/system')) {
    await runProgram('systemctl', ['start', 'virtlogd.socket', 'libvirtd.service'], { signal });
    return 'started by systemd';
  }
  // its packages make these where a service manager starts it; without the log directory no VM starts
  for (const directory of ['/run/libvirt', '/run/lock', '/var/log/libvirt/qemu']) {
    await mkdir(directory, { recursive: true });
  }
  await startVirtlogd(signal);
  await runProgram('libvirtd', ['-d'], { signal });
  return 'started (no service manager here)';
}

async function startVirtlogd(signal: AbortSignal): Promise<void> {
  try {
    await runProgram('virtlogd', ['-d'], { signal });
  } catch (error) {
    // it runs already, and holds its pid file
    if (!hasErrorCode(error, 'PROGRAM_FAILED') || !describeError(error).includes('pid file')) throw error;
  }
}

async function libvirtVersion(signal: AbortSignal): Promise<string | undefined> {
  try {
    const { stdout } = await runProgram('virsh', ['-q', '-c', uri, 'version'], {
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]),
    });
    const library = /Using library: libvirt (\S+)/.exec(stdout)?.[1];
    const hypervisor = /Running hypervisor: QEMU (\S+)/.exec(stdout)?.[1];
    return `libvirt ${library ?? '?'}, QEMU ${hypervisor ?? '?'}`;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function unavailable(why: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'LIBVIRT_UNAVAILABLE',
    `libvirt does not run and could not be started: ${why}. Try it by hand, as root: virtlogd -d; libvirtd -d; ` +
      `virsh -c ${uri} version. On a machine with systemd: systemctl status libvirtd.`,
    { cause },
  );
}
