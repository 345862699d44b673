import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { makeCertificateRequest } from './certificate-request.ts';

test('a certificate library reads the request, and it proves the key', async () => {
  const { privateKey, certificateRequest } = await makeCertificateRequest('host-1.example');
  const request = new Pkcs10CertificateRequest(certificateRequest);
  assert.equal(await request.verify(), true);
  assert.equal(request.subject, 'CN=host-1.example');
  assert.deepEqual(
    createPublicKey(createPrivateKey(privateKey)).export({ format: 'der', type: 'spki' }),
    Buffer.from(request.publicKey.rawData),
  );
  assert.equal(createPrivateKey(privateKey).asymmetricKeyDetails?.namedCurve, 'prime256v1');
});

test('any host name is data in it, and every request has a key of its own', async () => {
  const names = ['a,O=evil+CN="x"', 'höst', 'h'.repeat(200)];
  const requests = await Promise.all(names.map((name) => makeCertificateRequest(name)));
  const subjects = requests.map(({ certificateRequest }) => {
    const name = new Pkcs10CertificateRequest(certificateRequest).subjectName;
    assert.equal(name.toJSON().length, 1);
    return name.getField('CN');
  });
  assert.deepEqual(subjects, [[names[0]], [names[1]], ['h'.repeat(64)]]);
  assert.equal(new Set(requests.map(({ privateKey }) => privateKey)).size, names.length);
});
