import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { freeAddress, guestMac, ipv4Number, ipv4Text, isHostName, unicastMac } from './addresses.ts';

test('addresses go to numbers and back', () => {
  fc.assert(fc.property(fc.ipV4(), (address) => ipv4Text(ipv4Number(address)) === address));
});

for (const text of ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '1.2.3.x', '1.2.3.-4', ' 1.2.3.4']) {
  test(`"${text}" is no address`, () => {
    assert.throws(() => ipv4Number(text), RangeError);
  });
}

test('the first free address is given, across the end of a byte, and none when all are taken', () => {
  assert.equal(freeAddress('10.0.0.1', '10.0.0.3', new Set()), '10.0.0.1');
  assert.equal(freeAddress('10.0.0.1', '10.0.0.3', new Set(['10.0.0.1', '10.0.0.3'])), '10.0.0.2');
  assert.equal(freeAddress('10.0.0.255', '10.0.1.1', new Set(['10.0.0.255'])), '10.0.1.0');
  assert.equal(freeAddress('200.0.0.1', '200.0.0.1', new Set(['200.0.0.1'])), undefined);
});

test('MAC addresses are locally administered, for one card, and 17 letters long', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 5, maxLength: 5 }), (bytes) => {
      const mac = guestMac(bytes);
      assert.match(mac, /^06(:[0-9a-f]{2}){5}$/);
    }),
  );
});

test('a MAC address that is asked for is one of a card', () => {
  assert.equal(unicastMac('m', '02-AB-cd-00-00-01'), '02:ab:cd:00:00:01');
  for (const text of ['', '02:00:00:00:00', '01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff', 'fe:00:00:00:00:01'])
    assert.throws(() => unicastMac('m', text), /Invalid parameter m/, text);
  assert.throws(() => unicastMac('m', '00:00:00:00:00:00'), /Invalid/);
});

test('host names are as RFC 1123 has them', () => {
  for (const name of ['a', 'web1', '1a', 'WEB-1', 'a'.repeat(63), 'VM-0b1c'])
    assert.equal(isHostName(name), true, name);
  for (const name of ['', '-a', 'a-', 'a_b', 'a.b', '123', 'a'.repeat(64), 'ä', 'a b', 'a\n']) {
    assert.equal(isHostName(name), false, name);
  }
});
