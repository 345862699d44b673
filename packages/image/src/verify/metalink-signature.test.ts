import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { digestAlgorithms } from '@millrace/core';
import { parseMetalink, selectSources } from '@millrace/metalink';
import { FetchFault } from '../errors.ts';
import { publicKey, signatureOf, signedFile } from '../testing/signed-file.ts';
import {
  makeSignatureCheck,
  prepareMetalinkSignature,
  verifyMetalinkSignature,
} from './metalink-signature.ts';
import { describeSigner } from './signature-keys.ts';

const { signal } = new AbortController();

async function* inChunks(bytes: Uint8Array, size = 7001): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function verify(signature: string, keys: readonly string[], bytes: Uint8Array = signedFile) {
  const file = { signature: signatureOf(signature), keys: keys.map(publicKey), bytes: inChunks(bytes) };
  return verifyMetalinkSignature(file, { signal });
}

function faultOf(code: string, message = /./) {
  return (error: unknown) =>
    error instanceof FetchFault && error.code === code && message.test(error.message);
}

for (const name of ['ed25519', 'rsa2048', 'nistp256']) {
  test(`a file signed by GnuPG with ${name} verifies, whoever else is configured`, async () => {
    const signer = await verify(name, ['revoked', name]);
    assert.match(signer.fingerprint, /^[0-9A-F]{40}$/);
    assert.equal(signer.userId, `Test ${name} <${name}@example.test>`);
    assert.match(describeSigner(signer), /^key [0-9A-F]{40} \("Test .*"\), signed on 2024-01-01$/);
  });

  test(`a single wrong byte, a missing or an added one break a signature of ${name}`, async () => {
    const flipped = Buffer.from(signedFile);
    flipped[50_000]! ^= 1;
    for (const bytes of [flipped, signedFile.subarray(0, -1), Buffer.concat([signedFile, Buffer.alloc(1)])]) {
      await assert.rejects(
        verify(name, [name], bytes),
        faultOf('SIGNATURE_MISMATCH', /not those that were signed/),
      );
    }
  });
}

test('a signature that was changed itself verifies nothing', async () => {
  const { text, mediaType } = signatureOf('ed25519');
  const [head = '', body = ''] = text.split(/\n\n|\n=/);
  const packet = Buffer.from(body, 'base64');
  packet[packet.length - 1]! ^= 1;
  const changed = `${head}\n\n${packet.toString('base64')}\n-----END PGP SIGNATURE-----\n`;
  const file = {
    signature: { mediaType, text: changed },
    keys: [publicKey('ed25519')],
    bytes: inChunks(signedFile),
  };
  await assert.rejects(verifyMetalinkSignature(file, { signal }), faultOf('SIGNATURE_MISMATCH'));
});

test('an empty file passes only if it is what was signed', async () => {
  await assert.rejects(verify('ed25519', ['ed25519'], Buffer.alloc(0)), faultOf('SIGNATURE_MISMATCH'));
});

test('the hash of bytes and suffix is enough, so that whoever hashes the transfer can prepare the check', async () => {
  const prepared = await prepareMetalinkSignature(signatureOf('ed25519'), [publicKey('ed25519')]);
  const transfer = createHash(digestAlgorithms[prepared.algorithm].nodeName).update(signedFile);
  const hex = transfer.copy().update(prepared.suffix).digest('hex');
  assert.match((await prepared.verify({ algorithm: prepared.algorithm, hex })).fingerprint, /^[0-9A-F]{40}$/);
  const plain = { algorithm: prepared.algorithm, hex: transfer.digest('hex') };
  await assert.rejects(prepared.verify(plain), faultOf('SIGNATURE_MISMATCH'));
  await assert.rejects(prepared.verify({ algorithm: 'MD5', hex }), /digest is needed/);
});

test('one check can conclude anew for the bytes of a second attempt', async () => {
  const prepared = await prepareMetalinkSignature(signatureOf('rsa2048'), [publicKey('rsa2048')]);
  const first = makeSignatureCheck(prepared);
  first.update(Buffer.from('wrong'));
  await assert.rejects(first.finish(), faultOf('SIGNATURE_MISMATCH'));
  const second = makeSignatureCheck(prepared);
  second.update(signedFile);
  await second.finish();
});

test('of several signatures the one of a configured key counts', async () => {
  for (const name of ['ed25519', 'rsa2048']) {
    assert.match((await verify('two-signers', [name])).userId ?? '', new RegExp(name));
  }
});

test('a key that has expired since still vouches for what it signed in time, a revoked one for nothing', async () => {
  await verify('expired-before', ['expired']);
  const revoked = prepareMetalinkSignature(signatureOf('revoked'), [publicKey('revoked')]);
  await assert.rejects(revoked, faultOf('SIGNATURE_INVALID', /revoked/));
});

test('what cannot vouch for a binary file is refused before a byte is transferred, with the reason', async () => {
  const cases: [signature: string, key: string, reason: RegExp][] = [
    ['ed25519', 'rsa2048', /made by key [0-9A-F]{16}, which is not among the configured ones/],
    ['text-mode', 'ed25519', /not one over a binary file/],
    ['sha1', 'rsa2048', /hashes with sha1, which is not accepted/],
  ];
  for (const [signature, key, reason] of cases) {
    const prepared = prepareMetalinkSignature(signatureOf(signature), [publicKey(key)]);
    await assert.rejects(prepared, faultOf('SIGNATURE_INVALID', reason));
  }
});

test('keys that are configured demand a signature, and one that can be read', async () => {
  const keys = [publicKey('ed25519')];
  await assert.rejects(prepareMetalinkSignature(undefined, keys), faultOf('SIGNATURE_MISSING'));
  const good = signatureOf('ed25519');
  for (const text of ['', 'hello', good.text.slice(0, 120), publicKey('ed25519')]) {
    await assert.rejects(
      prepareMetalinkSignature({ ...good, text }, keys),
      faultOf('SIGNATURE_INVALID'),
      text,
    );
  }
  const smime = { ...good, mediaType: 'application/pkcs7-signature' };
  await assert.rejects(prepareMetalinkSignature(smime, keys), faultOf('SIGNATURE_INVALID', /pkcs7/));
});

test('keys that are none are told by their number and never shown', async () => {
  const malformed = (keys: readonly string[], message: RegExp) =>
    assert.rejects(prepareMetalinkSignature(signatureOf('ed25519'), keys), (error) => {
      assert.ok(error instanceof FetchFault);
      assert.doesNotMatch(error.message, /secret/);
      return error.code === 'REQUEST_MALFORMED' && message.test(error.message);
    });
  const { generateKey } = await import('openpgp');
  const { privateKey } = await generateKey({ userIDs: [{ name: 'secret' }], format: 'armored' });
  await malformed([], /0 signature keys/);
  await malformed([publicKey('ed25519'), 'secret'], /key 2 is no/);
  await malformed([privateKey], /key 1 is a private key/);
  await malformed([`${publicKey('ed25519')}${' '.repeat(300_000)}`], /key 1 is too large/);
});

test('a signature is read from a metalink as it was written, also indented', async () => {
  const armour = signatureOf('ed25519').text.replaceAll(/^/gm, '      ');
  const text = `<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="signed.bin">
    <signature mediatype="application/pgp-signature">
${armour}
    </signature><url>http://m/signed.bin</url></file></metalink>`;
  const { signature } = selectSources(parseMetalink(text), { location: [], sourceOrder: 'priority' });
  await verifyMetalinkSignature(
    { signature, keys: [publicKey('ed25519')], bytes: inChunks(signedFile) },
    { signal },
  );
});

test('the check ends with the reason of the signal', async () => {
  const reason = new Error('enough');
  const file = {
    signature: signatureOf('ed25519'),
    keys: [publicKey('ed25519')],
    bytes: inChunks(signedFile),
  };
  await assert.rejects(verifyMetalinkSignature(file, { signal: AbortSignal.abort(reason) }), reason);
});
