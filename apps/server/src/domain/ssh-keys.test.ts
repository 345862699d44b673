import assert from 'node:assert/strict';
import { constants, createPrivateKey, privateDecrypt } from 'node:crypto';
import { test } from 'node:test';
import { encryptPassword, makeKeyPair, parsePublicKey } from './ssh-keys.ts';

/** Made by ssh-keygen; `ssh-keygen -E md5 -lf` tells the fingerprints. */
const ed25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl github';
const ed25519Fingerprint = '65:96:2d:fc:e8:d5:a9:11:64:0c:0f:ea:00:6e:5b:bd';

test('a made pair is one that its own parser takes, and decrypts what is encrypted for it', async () => {
  const pair = await makeKeyPair();
  const key = parsePublicKey('publickey', pair.publicKey);
  assert.match(pair.privateKey, /^-----BEGIN RSA PRIVATE KEY-----\n/);
  assert.match(key.fingerprint, /^([0-9a-f]{2}:){15}[0-9a-f]{2}$/);
  const encrypted = Buffer.from(encryptPassword(key.rsa!, 'pass word'), 'base64');
  // the private half decrypts raw RSA, under the padding that CloudStack's clients expect
  const raw = privateDecrypt(
    { key: createPrivateKey(pair.privateKey), padding: constants.RSA_NO_PADDING },
    encrypted,
  );
  assert.deepEqual([...raw.subarray(0, 2)], [0, 2]);
  assert.equal(raw.subarray(raw.indexOf(0, 2) + 1).toString(), 'pass word');
});

test('a key is known by its fingerprint, with its comment, and as Base64 of its line', () => {
  const key = parsePublicKey('publickey', ` ${ed25519}\n`);
  assert.equal(key.line, ed25519);
  assert.equal(key.fingerprint, ed25519Fingerprint);
  assert.equal(key.rsa, undefined);
  assert.equal(parsePublicKey('publickey', Buffer.from(ed25519).toString('base64')).line, ed25519);
});

test('what is no single plain key is refused by the name of the parameter', () => {
  const blob = ed25519.split(' ')[1]!;
  const cases = [
    'hello',
    `ssh-ed25519 ${blob}\nssh-ed25519 ${blob}`,
    `command="rm -rf /" ${ed25519}`,
    `ssh-rsa ${blob}`,
    `ssh-ed25519 ${blob.slice(0, -8)}`,
    `ssh-ed25519 ${blob}AAAA`,
    `ssh-ed25519 ${blob} bad\u0007comment`,
    Buffer.from(`${ed25519}\n${ed25519}`).toString('base64'),
    'ssh-dss AAAAB3NzaC1kc3M=',
    // an RSA key of eight bits
    `ssh-rsa ${Buffer.concat([
      Buffer.from([0, 0, 0, 7]),
      Buffer.from('ssh-rsa'),
      Buffer.from([0, 0, 0, 1, 3, 0, 0, 0, 1, 0x7f]),
    ]).toString('base64')}`,
  ];
  for (const text of cases) {
    assert.throws(() => parsePublicKey('publickey', text), /Invalid parameter publickey: /, text);
  }
});
