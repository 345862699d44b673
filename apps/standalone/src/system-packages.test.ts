import assert from 'node:assert/strict';
import test from 'node:test';
import { installCommand, missingPackages } from './system-packages.ts';

test('a package counts as installed only when dpkg has installed it, also when it is on hold', () => {
  const dpkg = 'ii  qemu-utils\nhi  iptables\nrc  postgresql\niU  libvirt-clients\nii  qemu-utils-extra\n';
  assert.deepEqual(
    missingPackages(dpkg, ['qemu-utils', 'iptables', 'postgresql', 'libvirt-clients', 'kmod']),
    ['postgresql', 'libvirt-clients', 'kmod'],
  );
});

test('a machine without dpkg has none of them', () => {
  assert.deepEqual(missingPackages('', ['kmod']), ['kmod']);
});

test('the command for the administrator can be pasted as it is', () => {
  assert.equal(
    installCommand(['kmod', 'mtools']),
    'apt-get update && apt-get install -y --no-install-recommends kmod mtools',
  );
});
