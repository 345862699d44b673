import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VmSpec } from '@millrace/agent-protocol';
import { makeTestVm, testNetwork } from '../testing/vm.ts';
import { driveFiles } from './drive-files.ts';

const drive: NonNullable<VmSpec['configDrive']> = {
  hostName: 'web-1',
  zoneName: 'zone1',
  serviceOffering: 'Micro',
  sshKeys: [
    { name: 'ann', publicKey: 'ssh-ed25519 AAAA ann' },
    { name: 'bob', publicKey: 'ssh-rsa BBBB' },
  ],
  userData: Buffer.from('#cloud-config\n{}').toString('base64'),
  password: 'p"a\\ss',
  variables: { tier: 'gold' },
};

function contentsOf(vm: VmSpec): Map<string, string> {
  return new Map(driveFiles(vm).map(({ path, content }) => [path, Buffer.from(content).toString('utf8')]));
}

test('all three layouts tell the host name, the keys and the user data', () => {
  const files = contentsOf(makeTestVm({ configDrive: drive }));
  const openStack = JSON.parse(files.get('openstack/latest/meta_data.json')!);
  assert.equal(openStack.hostname, 'web-1');
  assert.deepEqual(openStack.public_keys, { ann: 'ssh-ed25519 AAAA ann', bob: 'ssh-rsa BBBB' });
  assert.deepEqual(openStack.meta, { tier: 'gold' });
  const noCloud = JSON.parse(files.get('meta-data')!);
  assert.equal(noCloud['local-hostname'], 'web-1');
  assert.deepEqual(noCloud['public-keys'], ['ssh-ed25519 AAAA ann', 'ssh-rsa BBBB']);
  assert.equal(files.get('cloudstack/metadata/local-hostname.txt'), 'web-1');
  assert.equal(files.get('cloudstack/metadata/public-keys.txt'), 'ssh-ed25519 AAAA ann\nssh-rsa BBBB');
  assert.equal(files.get('cloudstack/metadata/tier.txt'), 'gold');
  for (const path of ['openstack/latest/user_data', 'user-data', 'cloudstack/userdata/user_data.txt']) {
    assert.equal(files.get(path), '#cloud-config\n{}');
  }
});

test('the password is where each guest looks for it, and nowhere when there is none', () => {
  const files = contentsOf(makeTestVm({ configDrive: drive }));
  assert.equal(files.get('cloudstack/password/vm_password.txt'), drive.password);
  assert.equal(JSON.parse(files.get('openstack/latest/meta_data.json')!).admin_pass, drive.password);
  const vendor = JSON.parse(files.get('openstack/latest/vendor_data.json')!)['cloud-init'];
  assert.equal(vendor, files.get('vendor-data'));
  const [first, config] = String(vendor).split('\n');
  assert.equal(first, '#cloud-config');
  assert.equal(JSON.parse(String(config)).password, drive.password);
  const { password: _, ...without } = drive;
  const bare = contentsOf(makeTestVm({ configDrive: without }));
  assert.ok(!bare.has('cloudstack/password/vm_password.txt'));
  assert.ok(!('admin_pass' in JSON.parse(bare.get('openstack/latest/meta_data.json')!)));
  assert.deepEqual(JSON.parse(bare.get('openstack/latest/vendor_data.json')!), {});
});

test('the id of the instance is not the one of its firmware, so that cloud-init reads the drive at every boot', () => {
  const vm = makeTestVm({ configDrive: drive });
  const files = contentsOf(vm);
  const id = JSON.parse(files.get('openstack/latest/meta_data.json')!).uuid;
  assert.notEqual(id, vm.uuid);
  assert.equal(JSON.parse(files.get('meta-data')!)['instance-id'], id);
});

test('a variable never takes the place of what the cloud says', () => {
  const variables = { 'public-keys': 'ssh-rsa EVIL', 'vm-id': 'other' };
  const files = contentsOf(makeTestVm({ configDrive: { ...drive, variables } }));
  assert.equal(files.get('cloudstack/metadata/vm-id.txt'), makeTestVm().uuid);
  assert.doesNotMatch(files.get('cloudstack/metadata/public-keys.txt')!, /EVIL/);
});

test('addresses are static by MAC, the first card has the default route, and a card without address asks DHCP', () => {
  const other = { ...testNetwork, netmask: '255.255.254.0', gateway: '10.88.0.1' };
  const nics = [
    ...makeTestVm().nics,
    { mac: '52:54:00:00:00:04', ip: '10.88.0.9', network: other },
    { mac: '52:54:00:00:00:05', network: other },
  ];
  const files = contentsOf(makeTestVm({ configDrive: drive, nics }));
  const { links, networks, services } = JSON.parse(files.get('openstack/latest/network_data.json')!);
  assert.deepEqual(
    links.map((link: { ethernet_mac_address: string }) => link.ethernet_mac_address),
    nics.map(({ mac }) => mac),
  );
  assert.equal(networks[0].ip_address, '10.77.0.13');
  assert.deepEqual(networks[0].routes, [{ network: '0.0.0.0', netmask: '0.0.0.0', gateway: '10.77.0.1' }]);
  assert.deepEqual(networks[1].routes, []);
  assert.equal(networks[2].type, 'ipv4_dhcp');
  assert.deepEqual(services, [{ type: 'dns', address: '10.77.0.1' }]);
  const { version, ethernets } = JSON.parse(files.get('network-config')!);
  assert.equal(version, 2);
  assert.deepEqual(ethernets.nic0, {
    match: { macaddress: '52:54:00:00:00:03' },
    addresses: ['10.77.0.13/24'],
    routes: [{ to: '0.0.0.0/0', via: '10.77.0.1' }],
    nameservers: { addresses: ['10.77.0.1'] },
  });
  assert.deepEqual(ethernets.nic1, {
    match: { macaddress: '52:54:00:00:00:04' },
    addresses: ['10.88.0.9/23'],
  });
  assert.deepEqual(ethernets.nic2, { match: { macaddress: '52:54:00:00:00:05' }, dhcp4: true });
});

test('a machine without anything to hand over has no drive', () => {
  assert.deepEqual(driveFiles(makeTestVm()), []);
});
