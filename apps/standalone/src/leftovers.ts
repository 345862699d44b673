import { readdir, rm } from 'node:fs/promises';
import { hasErrorCode, runProgram } from '@millrace/core';
import type { GuestNetwork } from './guest-network.ts';
import { removeMount, runtimePaths } from './mounts.ts';

/** What an instance has made on its machine outside the data directory. */
export interface Leftovers {
  /** libvirt's names of its VMs, running or not. */
  readonly domains: readonly string[];
  readonly network: string | undefined;
}

const uri = 'qemu:///system';

/**
 * Looks for what belongs to an instance, and to no other one: its VMs' names end in its id, its network bears its name.
 * Without libvirt there is nothing.
 */
export async function findLeftovers(
  instanceId: string,
  network: GuestNetwork | undefined,
  signal: AbortSignal,
): Promise<Leftovers> {
  const domains = domainsOf(instanceId, await virshList(['list', '--all', '--name'], signal));
  const networks = await virshList(['net-list', '--all', '--name'], signal);
  return {
    domains,
    network:
      network !== undefined && networks.includes(network.libvirtName) ? network.libvirtName : undefined,
  };
}

/** Names like `i-2-3-<id>`. */
export function domainsOf(instanceId: string, names: readonly string[]): string[] {
  return names.filter((name) => /^i-\d+-\d+-[0-9a-z]+$/i.test(name) && name.endsWith(`-${instanceId}`));
}

/** Ends the VMs, removes them and their network from libvirt, and takes the mounts away. */
export async function removeLeftovers(
  instanceId: string,
  leftovers: Leftovers,
  signal: AbortSignal,
): Promise<void> {
  for (const name of leftovers.domains) {
    await tolerant(['destroy', name], signal);
    await runProgram('virsh', ['-q', '-c', uri, 'undefine', name, '--nvram', '--managed-save'], { signal });
  }
  if (leftovers.network !== undefined) {
    await tolerant(['net-destroy', leftovers.network], signal);
    await tolerant(['net-undefine', leftovers.network], signal);
  }
  const paths = runtimePaths(instanceId);
  for (const target of [paths.postgres, paths.pool]) await removeMount(target, signal);
  await rm(paths.base, { recursive: true, force: true });
  await removeConsoleLogs(instanceId);
}

/** libvirt's logs of the VMs, which carry their names. */
async function removeConsoleLogs(instanceId: string): Promise<void> {
  const directory = '/var/log/libvirt/qemu';
  try {
    for (const name of await readdir(directory)) {
      const domain = /^(i-\d+-\d+-[0-9a-z]+)[.-]/i.exec(name)?.[1];
      if (domain?.endsWith(`-${instanceId}`)) await rm(`${directory}/${name}`, { force: true });
    }
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
  }
}

async function virshList(argv: readonly string[], signal: AbortSignal): Promise<string[]> {
  try {
    const { stdout } = await runProgram('virsh', ['-q', '-c', uri, ...argv], { signal });
    return stdout.split('\n').filter(Boolean);
  } catch (error) {
    if (hasErrorCode(error, 'PROGRAM_MISSING')) return [];
    throw error;
  }
}

/** For what may be so already: a VM that is off cannot be destroyed. */
async function tolerant(argv: readonly string[], signal: AbortSignal): Promise<void> {
  try {
    await runProgram('virsh', ['-q', '-c', uri, ...argv], { signal });
  } catch (error) {
    if (!hasErrorCode(error, 'PROGRAM_FAILED')) throw error;
  }
}
