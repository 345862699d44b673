import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { describeError, type Logger } from '@millrace/core';

/** Whether /proc/cpuinfo shows a CPU that virtualises: `vmx` (Intel) or `svm` (AMD) among its flags. */
export function cpuVirtualises(cpuinfo: string): boolean {
  return /^flags\s*:.*\b(vmx|svm)\b/m.test(cpuinfo);
}

/**
 * `kvm` or `qemu` (TCG, emulation). `auto` takes KVM only when the CPU has it *and* `/dev/kvm` opens: there are machines
 * whose `/dev/kvm` opens although the CPU cannot, and whose guests then hang in their firmware.
 */
export async function chooseVirtType(
  wanted: 'auto' | 'kvm' | 'qemu',
  log: Logger,
  paths = { cpuinfo: '/proc/cpuinfo', kvm: '/dev/kvm' },
): Promise<'kvm' | 'qemu'> {
  if (wanted !== 'auto') return wanted;
  const why = !cpuVirtualises(await readFile(paths.cpuinfo, 'utf8'))
    ? 'the CPU shows neither vmx nor svm: switch virtualisation on in the firmware, or nested virtualisation on the host above'
    : await whyNotOpen(paths.kvm);
  if (why === undefined) return 'kvm';
  log.warn({ why }, 'guests are emulated (TCG), which is many times slower than KVM');
  return 'qemu';
}

async function whyNotOpen(path: string): Promise<string | undefined> {
  try {
    const device = await open(path, constants.O_RDWR);
    await device.close();
    return undefined;
  } catch (error) {
    return `${path} cannot be opened: ${describeError(error)}`;
  }
}
