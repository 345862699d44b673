import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemOf, type VirshProblem } from './virsh.ts';

/** Messages of libvirt 9.0, as they stand on virsh's standard error. */
const cases: readonly (readonly [string, VirshProblem])[] = [
  ["error: failed to get domain 'i-2-3-VM'", 'no-domain'],
  [
    "error: Domain not found: no domain with matching uuid '3c8d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f40'",
    'no-domain',
  ],
  [
    "error: failed to get network 'x'\nerror: Network not found: no network with matching name 'x'",
    'no-network',
  ],
  [
    "error: Failed to start domain 'x'\nerror: Requested operation is not valid: domain is already running",
    'domain-running',
  ],
  ['error: Domain is already active', 'domain-running'],
  [
    "error: Failed to destroy domain 'x'\nerror: Requested operation is not valid: domain is not running",
    'domain-not-running',
  ],
  [
    'error: Failed to start network x\nerror: Requested operation is not valid: network is already active',
    'network-active',
  ],
  [
    "error: Failed to define domain from /dev/stdin\nerror: operation failed: domain 'x' already exists with uuid bcc04bb0-d3dc-490a-9d35-aa8e921b2a65",
    'exists',
  ],
  [
    "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory",
    'unavailable',
  ],
  [
    'error: Disconnected from qemu:///system due to end of file\nerror: internal error: client socket is closed',
    'unavailable',
  ],
  [
    'error: internal error: process exited while connecting to monitor: qemu: could not open disk image',
    'other',
  ],
];
for (const [said, problem] of cases) {
  test(`${said.split('\n').at(-1)} is recognised as ${problem}`, () =>
    assert.equal(problemOf(said), problem));
}
