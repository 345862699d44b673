import { arch, cpus, freemem, hostname, loadavg, networkInterfaces, totalmem } from 'node:os';
import { type ParamsOf, protocolVersion, type ServerMethods } from '@millrace/agent-protocol';
import { describeError, type Logger } from '@millrace/core';
import packageJson from '../../package.json' with { type: 'json' };
import { madeNetworks } from '../hypervisor/networks.ts';
import type { Virsh } from '../hypervisor/virsh.ts';
import type { ImageServer } from '../image-server/image-server.ts';
import { spaceOf } from '../storage/pool.ts';

export type HostFacts = Omit<ParamsOf<ServerMethods, 'host.hello'>, 'vms'>;
export type HostLoad = ParamsOf<ServerMethods, 'host.heartbeat'>;

export interface FactsDeps {
  readonly virsh: Virsh;
  readonly virtType: 'kvm' | 'qemu';
  readonly poolPath: string | undefined;
  readonly role: 'host' | 'image-store';
  /** Where this host serves images, once it does. */
  readonly imageServer: () => ImageServer | undefined;
  readonly log: Logger;
}

/**
 * What the server should know of this host.
 * @throws VirshFailure when libvirt does not answer: a host without it must not say hello.
 */
export async function hostFacts(deps: FactsDeps, signal: AbortSignal): Promise<HostFacts> {
  const [hypervisorVersion, networks, localPool] = await Promise.all([
    deps.role === 'image-store' ? 'none' : deps.virsh(['version'], { signal }).then(parseVersion),
    deps.role === 'image-store' ? [] : madeNetworks(deps, signal),
    localPoolOf(deps),
  ]);
  const processors = cpus();
  const addresses = addressesOf(networkInterfaces());
  const imageServer = deps.imageServer()?.urls(addresses);
  return {
    protocolVersion,
    agentVersion: packageJson.version,
    hostName: hostname(),
    arch: arch() === 'x64' ? 'x86_64' : arch() === 'arm64' ? 'aarch64' : arch(),
    cpus: processors.length,
    cpuMhz: Math.max(0, ...processors.map((processor) => Math.round(processor.speed))),
    memoryBytes: totalmem(),
    hypervisorVersion,
    virtType: deps.virtType,
    addresses,
    networks,
    role: deps.role,
    ...(imageServer ? { imageServer } : {}),
    ...(localPool ? { localPool } : {}),
  };
}

/** What changes all the time. */
export async function hostLoad(deps: Pick<FactsDeps, 'poolPath' | 'role' | 'log'>): Promise<HostLoad> {
  const localPool = await localPoolOf(deps);
  return {
    // what Node calls free is Linux's MemAvailable, which counts caches that can be dropped
    memoryFreeBytes: freemem(),
    loadAverage: loadavg()[0] ?? 0,
    ...(localPool
      ? { localPool: { capacityBytes: localPool.capacityBytes, availableBytes: localPool.availableBytes } }
      : {}),
  };
}

/** A machine that runs no instances has no pool for them. */
async function localPoolOf({ poolPath, role, log }: Pick<FactsDeps, 'poolPath' | 'role' | 'log'>) {
  if (poolPath === undefined || role === 'image-store') return undefined;
  try {
    return { path: poolPath, ...(await spaceOf(poolPath)) };
  } catch (error) {
    log.warn({ path: poolPath, reason: describeError(error) }, 'the local storage pool cannot be used');
    return undefined;
  }
}

/** `QEMU 7.2.22, libvirt 9.0.0` from what `virsh version` prints. */
export function parseVersion(printed: string): string {
  const hypervisor = /^Running hypervisor: (.+)$/m.exec(printed)?.[1];
  const library = /^Using library: (.+)$/m.exec(printed)?.[1];
  return [hypervisor, library].filter((part) => part !== undefined).join(', ') || 'unknown';
}

/** Bridges and taps of guests: their addresses are the host's, but nobody reaches the host by them. */
const guestInterface = /^(mlr|virbr|vnet|tap)/;

/** Addresses by which the host may be reached, IPv4 first; loopback ones only when there are no others. */
export function addressesOf(interfaces: ReturnType<typeof networkInterfaces>): string[] {
  const all = Object.entries(interfaces).flatMap(([name, addresses]) =>
    guestInterface.test(name) ? [] : (addresses ?? []),
  );
  const usable = all.filter(({ address }) => !/^(fe80:|169\.254\.)/i.test(address));
  const ranked = (inside: boolean, family: string) =>
    usable
      .filter((entry) => entry.internal === inside && entry.family === family)
      .map((entry) => entry.address);
  const outside = [...ranked(false, 'IPv4'), ...ranked(false, 'IPv6')];
  return outside.length > 0 ? outside : [...ranked(true, 'IPv4'), ...ranked(true, 'IPv6')];
}
