import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '@millrace/core';
import { makeAddressCheck } from './egress.ts';

const strict = makeAddressCheck({ allowedCidrs: [] });

test('addresses that are not the public internet are refused, with the range in the reason', () => {
  for (const [address, range] of [
    ['127.0.0.1', '127.0.0.0/8'],
    ['127.255.255.254', '127.0.0.0/8'],
    ['0.0.0.0', '0.0.0.0/8'],
    ['10.1.2.3', '10.0.0.0/8'],
    ['172.16.0.1', '172.16.0.0/12'],
    ['172.31.255.255', '172.16.0.0/12'],
    ['192.168.1.1', '192.168.0.0/16'],
    ['169.254.169.254', '169.254.0.0/16'],
    ['100.64.0.1', '100.64.0.0/10'],
    ['100.100.100.200', '100.64.0.0/10'],
    ['192.0.0.192', '192.0.0.0/24'],
    ['198.18.0.1', '198.18.0.0/15'],
    ['224.0.0.1', '224.0.0.0/4'],
    ['255.255.255.255', '240.0.0.0/4'],
    ['::', '::/96'],
    ['::1', '::/96'],
    ['::127.0.0.1', '::/96'],
    ['64:ff9b::7f00:1', '64:ff9b::/96'],
    ['64:ff9b:1::1', '64:ff9b:1::/48'],
    ['::ffff:0:127.0.0.1', '::/8'],
    ['64:ff9c::1', '::/8'],
    ['2002:7f00:1::', '2002::/16'],
    ['2001:0:7f00:1::', '2001::/23'],
    ['fc00::1', 'fc00::/7'],
    ['fd00:ec2::254', 'fc00::/7'],
    ['fe80::1', 'fe80::/10'],
    ['fe80::1%eth0', 'fe80::/10'],
    ['ff02::1', 'ff00::/8'],
    ['::ffff:127.0.0.1', '127.0.0.0/8'],
    ['::ffff:7f00:1', '127.0.0.0/8'],
    ['0:0:0:0:0:ffff:a9fe:a9fe', '169.254.0.0/16'],
    ['[::1]', '::/96'],
  ] as const) {
    assert.ok(strict.refusal(address)?.includes(range), `${address}: ${strict.refusal(address)}`);
  }
  assert.match(strict.refusal('not an address') ?? '', /no IP address/);
});

test('public addresses are allowed', () => {
  for (const address of [
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700::1111',
    '::ffff:8.8.8.8',
  ]) {
    assert.equal(strict.refusal(address), undefined, address);
  }
});

test('allowed networks open exactly what they name, in IPv4-mapped spelling too', () => {
  const check = makeAddressCheck({ allowedCidrs: ['10.1.0.0/16', '127.0.0.1', 'fd00:1::/32'] });
  for (const address of ['10.1.255.1', '127.0.0.1', '::ffff:127.0.0.1', 'fd00:1:2::3']) {
    assert.equal(check.refusal(address), undefined, address);
  }
  for (const address of ['10.2.0.1', '127.0.0.2', 'fd00:2::1', '169.254.169.254']) {
    assert.notEqual(check.refusal(address), undefined, address);
  }
});

test('an allowed network of one family opens nothing of the other', () => {
  const check = makeAddressCheck({ allowedCidrs: ['::/0'] });
  assert.equal(check.refusal('fd00::1'), undefined);
  for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '169.254.169.254']) {
    assert.notEqual(check.refusal(address), undefined, address);
  }
});

test('without a policy everything is allowed', () => {
  assert.equal(makeAddressCheck(undefined).refusal('127.0.0.1'), undefined);
});

test('a network that is none is named in the error', () => {
  for (const cidr of [
    '',
    '10.0.0.0/33',
    '10.0.0/8',
    'fd00::/129',
    '10.0.0.0/8/8',
    '10.0.0.0/x',
    'example.org',
  ]) {
    assert.throws(
      () => makeAddressCheck({ allowedCidrs: [cidr] }),
      (error) =>
        error instanceof MillraceError &&
        error.code === 'REQUEST_MALFORMED' &&
        error.message.includes(JSON.stringify(cidr)),
    );
  }
});
