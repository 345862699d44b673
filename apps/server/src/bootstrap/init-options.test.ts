import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readInitOptions } from './init-options.ts';

test('without options there is a zone and a network', () => {
  assert.deepEqual(readInitOptions([]), {
    zone: 'Zone1',
    network: {
      libvirtName: 'millrace-guests',
      bridge: 'mlrguests',
      cidr: '10.201.1.0/24',
      gateway: '10.201.1.1',
      netmask: '255.255.255.0',
      startIp: '10.201.1.10',
      endIp: '10.201.1.250',
    },
    passwordFile: undefined,
    allowedCidrs: [],
  });
});

test('a small network still has a gateway and guests', () => {
  const network = readInitOptions(['--network', '192.168.7.16/28'])!.network;
  assert.deepEqual(
    [network.gateway, network.netmask, network.startIp, network.endIp],
    ['192.168.7.17', '255.255.255.240', '192.168.7.20', '192.168.7.26'],
  );
});

for (const [argv, complaint] of [
  [['--network', '10.1.1.0'], /--network must be an IPv4 network/],
  [['--network', '10.1.1.0/30'], /--network must be a \/16 to a \/28/],
  [['--network', '10.1.1.7/24'], /--network must begin at its first address: 10\.1\.1\.0\/24/],
  [['--allowed-cidrs', '10.0.0.0/8,x'], /--allowed-cidrs must be IPv4 networks/],
  [['--zone', ''], /--zone is empty/],
  [['--password', ''], /--password is empty/],
  [['--pasword', 'x'], /Unknown option '--pasword'/],
] as const) {
  test(`${argv.join(' ')} is refused with its rule`, () => {
    assert.throws(() => readInitOptions(argv), complaint);
  });
}

test('help is no option among others', () => {
  assert.equal(readInitOptions(['--network', 'nonsense', '--help']), undefined);
});
