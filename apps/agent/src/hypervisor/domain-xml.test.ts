import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTestVm, testNetwork } from '../testing/vm.ts';
import { type DomainOptions, domainXml } from './domain-xml.ts';
import { networkCardsOf } from './networks.ts';
import { elementsOf } from './xml.ts';

const options: DomainOptions = {
  virtType: 'qemu',
  disk: {
    path: '/pool/root-3.qcow2',
    serial: 'root-3',
    backing: { path: '/pool/tpl.qcow2', format: 'qcow2' },
  },
  consoleLogPath: '/var/log/libvirt/qemu/i-2-3-VM-serial.log',
};

test('every format of the disk chain is written out and the chain is closed, so that nothing is probed', () => {
  const document = domainXml(makeTestVm(), options);
  const disk = /<disk .*?<\/disk>/s.exec(document)![0];
  assert.deepEqual(elementsOf(disk, 'driver'), [
    { name: 'qemu', type: 'qcow2', cache: 'none', discard: 'unmap' },
  ]);
  assert.deepEqual(elementsOf(disk, 'source'), [{ file: '/pool/root-3.qcow2' }, { file: '/pool/tpl.qcow2' }]);
  assert.deepEqual(elementsOf(disk, 'format'), [{ type: 'qcow2' }]);
  assert.match(disk, /<\/source><backingStore\/><\/backingStore>/);
});

test('the template is never given to QEMU\u2019s user, who could write then what the disks of others stand on', () => {
  const document = domainXml(makeTestVm(), options);
  assert.match(document, /<source file='\/pool\/tpl\.qcow2'><seclabel model='dac' relabel='no'\/><\/source>/);
});

test('there is always a CD-ROM drive; what is in it is read only, stays its owner\u2019s, and is booted first when it shall be', () => {
  const empty = domainXml(makeTestVm(), options);
  const driveOf = (document: string) => /<disk type='file' device='cdrom'>.*?<\/disk>/s.exec(document)![0];
  assert.deepEqual(elementsOf(driveOf(empty), 'source'), []);
  assert.deepEqual(elementsOf(driveOf(empty), 'target'), [{ dev: 'hdc', bus: 'ide' }]);
  assert.deepEqual(elementsOf(empty, 'boot'), [{ dev: 'hd' }]);
  const installer = domainXml(makeTestVm(), {
    ...options,
    cdrom: { path: '/pool/installer.iso', bootFirst: true },
  });
  assert.match(
    driveOf(installer),
    /<source file='\/pool\/installer\.iso'><seclabel model='dac' relabel='no'\/><\/source>/,
  );
  assert.equal(elementsOf(driveOf(installer), 'readonly').length, 1);
  assert.deepEqual(elementsOf(installer, 'boot'), [{ dev: 'cdrom' }, { dev: 'hd' }]);
  const drivers = { ...options, cdrom: { path: '/pool/drivers.iso', bootFirst: false } };
  assert.deepEqual(elementsOf(domainXml(makeTestVm(), drivers), 'boot'), [{ dev: 'hd' }]);
});

test('a disk that stands on nothing says so', () => {
  const document = domainXml(makeTestVm(), { ...options, disk: { ...options.disk, backing: undefined } });
  assert.equal(elementsOf(document, 'backingStore').length, 1);
  assert.equal(elementsOf(document, 'format').length, 0);
});

test('the screen is on no port, and the console is logged', () => {
  const document = domainXml(makeTestVm(), options);
  assert.deepEqual(elementsOf(document, 'graphics'), [{ type: 'vnc' }]);
  assert.deepEqual(elementsOf(document, 'listen'), [{ type: 'socket' }]);
  assert.deepEqual(elementsOf(document, 'log'), [{ file: options.consoleLogPath, append: 'on' }]);
});

test('every card is on its network by its MAC', () => {
  const second = { mac: '52:54:00:00:00:04', network: { ...testNetwork, name: 'other' } };
  const vm = makeTestVm({ nics: [...makeTestVm().nics, second] });
  assert.deepEqual(networkCardsOf(domainXml(vm, options)), [
    { mac: '52:54:00:00:00:03', network: 'millrace-net' },
    { mac: '52:54:00:00:00:04', network: 'other' },
  ]);
});

test('KVM and emulation get the CPU that fits them', () => {
  assert.deepEqual(elementsOf(domainXml(makeTestVm(), options), 'cpu'), [{ mode: 'maximum' }]);
  const kvm = domainXml(makeTestVm(), { ...options, virtType: 'kvm' });
  assert.match(kvm, /^<domain type='kvm'>/);
  assert.deepEqual(elementsOf(kvm, 'cpu'), [{ mode: 'host-model' }]);
});

test('a hostile path or serial stays a path or serial', () => {
  const path = "/pool/x'/><source file='/etc/shadow";
  const document = domainXml(makeTestVm(), {
    ...options,
    disk: { path, serial: '</serial><x/>', backing: undefined },
  });
  assert.deepEqual(elementsOf(document, 'source')[0], { file: path });
  assert.deepEqual(elementsOf(document, 'x'), []);
});

test('the config drive is a read-only disc on virtio-scsi, beside the drive for ISOs, and nothing boots from it', () => {
  assert.equal(elementsOf(domainXml(makeTestVm(), options), 'controller').length, 0);
  const document = domainXml(makeTestVm(), { ...options, configDrivePath: "/run/x'.iso" });
  const drives = [...document.matchAll(/<disk type='file' device='cdrom'>.*?<\/disk>/gs)].map(
    ([text]) => text,
  );
  const drive = drives.find((text) => text.includes("bus='scsi'"))!;
  assert.deepEqual(elementsOf(drive, 'source'), [{ file: "/run/x'.iso" }]);
  assert.deepEqual(elementsOf(drive, 'driver'), [{ name: 'qemu', type: 'raw' }]);
  assert.match(drive, /<readonly\/>/);
  assert.equal(drives.length, 2);
  assert.deepEqual(elementsOf(document, 'controller'), [{ type: 'scsi', index: '0', model: 'virtio-scsi' }]);
  assert.deepEqual(elementsOf(document, 'boot'), [{ dev: 'hd' }]);
});
