import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFindings } from './check.ts';
import { type Finding, installCommand } from './checks.ts';

const findings: readonly Finding[] = [
  { what: 'virsh', state: 'missing', says: 'is not installed', fix: 'apt-get install -y libvirt-clients' },
  { what: 'qemu-img', state: 'ok', says: '/usr/bin/qemu-img' },
  { what: 'zstd', state: 'warning', says: 'is not installed: slower', fix: 'apt-get install -y zstd' },
  {
    what: 'name',
    state: 'warning',
    says: 'host does not resolve',
    fix: "echo '127.0.1.1 host' >> /etc/hosts",
  },
];

test('every package that is missing is in one command, each once', () => {
  assert.equal(installCommand([...findings, findings[0]!]), 'apt-get install -y libvirt-clients zstd');
  assert.equal(installCommand([findings[1]!, findings[3]!]), undefined);
});

test('a finding is a line, its fix the line below', () => {
  const lines = describeFindings(findings).split('\n');
  assert.deepEqual(lines.slice(0, 3), [
    '✘ virsh     is not installed',
    '            → apt-get install -y libvirt-clients',
    '✔ qemu-img  /usr/bin/qemu-img',
  ]);
  assert.equal(lines.at(-1), 'All packages at once: apt-get install -y libvirt-clients zstd');
});
