import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FetchFault } from '../errors.ts';
import { openpgpFixture, publicKey } from '../testing/signed-file.ts';
import { isClearSigned, looksLikeSignature, verifySignedChecksums } from './signed-checksums.ts';

const list = openpgpFixture('SHA256SUMS');
const clear = openpgpFixture('clear-signed.asc');
const rsa = [publicKey('rsa2048')];
const ed = [publicKey('ed25519')];

function faultOf(code: string, message = /./) {
  return (error: unknown) =>
    error instanceof FetchFault && error.code === code && message.test(error.message);
}

test('a list with a detached signature verifies, armoured or not', async () => {
  for (const name of ['SHA256SUMS.asc', 'SHA256SUMS.gpg']) {
    const signature = openpgpFixture(name);
    assert.equal(looksLikeSignature(signature), true);
    const verified = await verifySignedChecksums(list, signature, [...ed, ...rsa]);
    assert.equal(verified.text, list.toString());
    assert.match(verified.signedBy.userId ?? '', /rsa2048/);
  }
});

test('of a clear-signed list only what was signed comes out, dash escapes removed', async () => {
  const around = Buffer.concat([Buffer.from('SHA256 (evil) = 00\n'), clear, Buffer.from('evil\n')]);
  for (const bytes of [clear, around]) {
    assert.equal(isClearSigned(bytes), true);
    const { text, signedBy } = await verifySignedChecksums(bytes, undefined, ed);
    assert.match(text, /^# signed\.bin: 100000 bytes\nSHA256 \(signed\.bin\) = [0-9a-f]{64}\n- dashes -/);
    assert.doesNotMatch(text, /evil/);
    assert.match(signedBy.userId ?? '', /ed25519/);
  }
});

test('a list that was changed, or signed by somebody else, is refused', async () => {
  const changed = Buffer.from(list.toString().replace('signed.bin', 'other.bin'));
  const changedClear = Buffer.from(clear.toString().replace('100000', '100001'));
  const signature = openpgpFixture('SHA256SUMS.asc');
  const invalid = (message: RegExp) => faultOf('SIGNATURE_INVALID', message);
  await assert.rejects(verifySignedChecksums(changed, signature, rsa), invalid(/not what was signed/));
  await assert.rejects(verifySignedChecksums(changedClear, undefined, ed), invalid(/not what was signed/));
  await assert.rejects(
    verifySignedChecksums(list, signature, ed),
    invalid(/made by key [0-9A-F]{16}, not by/),
  );
  await assert.rejects(
    verifySignedChecksums(list, openpgpFixture('ed25519.asc'), ed),
    invalid(/not what was signed/),
  );
});

test('a list without a signature, and a signature that is none, are told apart', async () => {
  await assert.rejects(verifySignedChecksums(list, undefined, rsa), faultOf('SIGNATURE_MISSING'));
  const broken = [
    Buffer.alloc(0),
    Buffer.from('<html>'),
    Buffer.from([0x99]),
    Buffer.alloc(70_000, 0xc2),
    list,
  ];
  for (const signature of broken) {
    await assert.rejects(verifySignedChecksums(list, signature, rsa), faultOf('SIGNATURE_INVALID'));
  }
  const cut = clear.subarray(0, clear.indexOf('-----END'));
  await assert.rejects(verifySignedChecksums(cut, undefined, ed), faultOf('SIGNATURE_INVALID'));
  const padded = Buffer.from(clear.toString().replace('-----END', `${'A'.repeat(70_000)}\n-----END`));
  await assert.rejects(
    verifySignedChecksums(padded, undefined, ed),
    faultOf('SIGNATURE_INVALID', /65536 bytes/),
  );
  assert.equal(looksLikeSignature(Buffer.from('<!DOCTYPE html>')), false);
  assert.equal(looksLikeSignature(Buffer.alloc(0)), false);
});
