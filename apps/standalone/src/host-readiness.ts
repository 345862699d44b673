import { appendFile, chmod, chown, readFile, stat, writeFile } from 'node:fs/promises';
import { hasErrorCode, runProgram } from '@millrace/core';

/** Marks the line in /etc/hosts, so that a reset finds and removes it. */
const hostsMarker = '# added by Millrace: libvirt looks this name up at every start of a VM';
const hostsFile = '/etc/hosts';
const lookupTimeoutMs = 3000;

/**
 * Makes the machine's own name resolvable. libvirt looks it up whenever it starts a VM, and where nobody knows the name
 * every start waits ten seconds for DNS to give up.
 * @returns what was changed, for the person at the terminal; `undefined` when nothing had to be
 */
export async function ensureNameResolves(name: string, signal: AbortSignal): Promise<string | undefined> {
  if (await resolves(name, signal)) return undefined;
  const line = `127.0.1.1 ${name} ${hostsMarker}`;
  try {
    await appendFile(hostsFile, `${(await endsWithNewline(hostsFile)) ? '' : '\n'}${line}\n`);
  } catch (error) {
    if (!hasErrorCode(error, 'EROFS', 'EACCES', 'EPERM')) throw error;
    return `the machine's name ${name} does not resolve and ${hostsFile} cannot be written: every VM start will take ten seconds longer`;
  }
  return `the machine's name ${name} did not resolve, which slows down every VM start: added it to ${hostsFile}`;
}

/** Undoes `ensureNameResolves`. */
export async function removeAddedName(): Promise<boolean> {
  const text = await readFile(hostsFile, 'utf8');
  const kept = withoutAddedLines(text);
  if (kept === text) return false;
  await writeFile(hostsFile, kept);
  return true;
}

export function withoutAddedLines(hosts: string): string {
  return hosts
    .split('\n')
    .filter((line) => !line.endsWith(hostsMarker))
    .join('\n');
}

async function resolves(name: string, signal: AbortSignal): Promise<boolean> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(lookupTimeoutMs)]);
  try {
    await runProgram('getent', ['ahosts', name], { signal: bounded });
    return true;
  } catch {
    signal.throwIfAborted();
    // an answer that comes too late costs every VM start as much as none
    return false;
  }
}

async function endsWithNewline(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text === '' || text.endsWith('\n');
}

/**
 * Gives /dev/kvm to the group `kvm`, as udev does where it runs. When QEMU's user may not open the device, libvirt 9
 * distrusts what it knows about QEMU and asks it anew before every use: seven seconds per VM.
 * @returns what was changed; `undefined` when nothing had to be
 */
export async function ensureKvmAccess(): Promise<string | undefined> {
  const device = '/dev/kvm';
  const group = groupId(await readFile('/etc/group', 'utf8').catch(() => ''), 'kvm');
  if (group === undefined) return undefined;
  try {
    const { mode, gid } = await stat(device);
    if ((mode & 0o006) === 0o006 || (gid === group && (mode & 0o060) === 0o060)) return undefined;
    await chown(device, 0, group);
    await chmod(device, 0o660);
    return `gave ${device} to the group kvm, as udev would: otherwise libvirt would be slow`;
  } catch (error) {
    // none: VMs are emulated, which the agent says
    if (hasErrorCode(error, 'ENOENT', 'EROFS', 'EPERM')) return undefined;
    throw error;
  }
}

/** Finds a group in the text of /etc/group. */
export function groupId(groups: string, name: string): number | undefined {
  const line = groups.split('\n').find((entry) => entry.startsWith(`${name}:`));
  const id = line === undefined ? Number.NaN : Number(line.split(':')[2]);
  return Number.isInteger(id) ? id : undefined;
}
