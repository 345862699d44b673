import type { NetworkDefinition, VmSpec } from '@millrace/agent-protocol';

export const testNetwork = {
  uuid: '7f0c1f1e-3d55-4a0e-9a38-1c1f0a5a7b11',
  name: 'millrace-net',
  bridge: 'mlr0',
  gateway: '10.77.0.1',
  netmask: '255.255.255.0',
  rangeStart: '10.77.0.10',
  rangeEnd: '10.77.0.100',
} as const satisfies NetworkDefinition;

/** A small VM for tests. */
export function makeTestVm(given: Partial<VmSpec> = {}): VmSpec {
  return {
    uuid: '3c8d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f40',
    instanceName: 'i-2-3-VM',
    hostName: 'web-1',
    cpus: 1,
    memoryMiB: 32,
    pool: { uuid: '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77', type: 'Filesystem', path: '/pool' },
    rootDisk: { path: 'root-3.qcow2', format: 'qcow2', serial: 'root-3' },
    nics: [{ mac: '52:54:00:00:00:03', ip: '10.77.0.13', network: testNetwork }],
    ...given,
  };
}
