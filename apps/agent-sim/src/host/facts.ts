import { protocolVersion } from '@millrace/agent-protocol';
import type { HostFacts, HostLoad } from '../../../agent/src/host/facts.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { spaceOf } from './pool.ts';
import type { HostState } from './world.ts';

const cpus = 32;
const memoryBytes = 128 * 1024 ** 3;

/** What a simulated host says of itself; nobody can take it for a real one. */
export function factsOf(host: HostState): HostFacts {
  const address = `10.${128 + (host.number >> 16)}.${(host.number >> 8) & 255}.${host.number & 255}`;
  const imageUrl = `http://${address}:8260`;
  return {
    protocolVersion,
    agentVersion: `${packageJson.version}-simulated`,
    hostName: host.name,
    arch: 'x86_64',
    cpus,
    cpuMhz: 2600,
    memoryBytes,
    hypervisorVersion: 'simulated',
    virtType: 'kvm',
    addresses: [address],
    imageServer: { hostUrl: imageUrl, publicUrl: imageUrl },
    localPool: { path: host.localPool.path, ...spaceOf(host.localPool) },
  };
}

export function loadOf(host: HostState): HostLoad {
  let usedMiB = 1024;
  let running = 0;
  for (const { state, spec } of host.machines.values()) {
    if (state !== 'Running') continue;
    running += 1;
    usedMiB += spec.memoryMiB;
  }
  return {
    memoryFreeBytes: Math.max(0, memoryBytes - usedMiB * 1024 ** 2),
    loadAverage: running / 4,
    localPool: spaceOf(host.localPool),
  };
}
