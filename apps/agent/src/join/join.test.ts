import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { hasErrorCode } from '@millrace/core';
import { expiryOf, identityPath, loadIdentity, openStateDir, storeIdentity } from '../state/identity.ts';
import { makeTestAuthority, type TestAuthority } from '../testing/authority.ts';
import { startTestServer, type TestServerOptions } from '../testing/server.ts';
import { makeCertificateRequest } from './certificate-request.ts';
import { joinServer } from './join.ts';

const hostUuid = 'b2a0b1f4-5d5a-4a5f-9d5e-0a1b2c3d4e5f';
const { signal } = new AbortController();
const secret = 's3cr3t-s3cr3t-s3cr3t-s3cr3t';
let authority: TestAuthority;
let scratch: string;
before(async () => {
  authority = await makeTestAuthority();
  scratch = await mkdtemp(join(tmpdir(), 'millrace-join-'));
});
after(() => rm(scratch, { recursive: true }));

const tokenFor = (fingerprint: string) => `mlr1.abcdefgh.${secret}.${fingerprint}`;
const joinAt = (serverUrl: string, token = tokenFor(authority.fingerprint)) =>
  joinServer({ serverUrl, token, hostName: 'host-1', makeCertificateRequest, signal });
const start = (options: Partial<TestServerOptions> = {}) =>
  startTestServer({ authority, hostUuid, ...options });

test('a host joins with a key of its own and gets a certificate of the server’s CA', async () => {
  await using server = await start();
  const identity = await joinAt(server.url);
  assert.equal(identity.hostUuid, hostUuid);
  const certificate = new X509Certificate(identity.certificate);
  assert.ok(certificate.checkPrivateKey(createPrivateKey(identity.privateKey)));
  assert.equal(createPrivateKey(identity.privateKey).asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.ok(certificate.verify(new X509Certificate(authority.certificate).publicKey));
  assert.ok(expiryOf(identity).getTime() > Date.now());
  assert.equal(server.joinBodies.length, 1);
});

test('a server whose CA is not the token’s is refused before the secret is sent', async () => {
  const other = await makeTestAuthority();
  await using server = await start();
  await assert.rejects(joinAt(server.url, tokenFor(other.fingerprint)), (error) => {
    assert.ok(hasErrorCode(error, 'SERVER_NOT_TRUSTED'));
    assert.doesNotMatch(String(error), new RegExp(secret));
    return true;
  });
  assert.deepEqual(server.joinBodies, []);
});

test('a server that only shows the right CA’s certificate, without being signed by it, gets no secret', async () => {
  const impostor = await makeTestAuthority();
  const shown = {
    ...impostor,
    issueServer: async (name: string) => {
      const { key, cert } = await impostor.issueServer(name);
      return {
        key,
        cert: `${cert.split('-----END CERTIFICATE-----')[0]}-----END CERTIFICATE-----\n${authority.certificate}\n`,
      };
    },
  };
  await using server = await start({ authority: shown });
  await assert.rejects(joinAt(server.url), (error) => hasErrorCode(error, 'SERVER_NOT_TRUSTED'));
  assert.deepEqual(server.joinBodies, []);
});

test('a certificate of the right CA for another name gets no secret: a host is no server', async () => {
  await using server = await start({ dnsName: 'some-host' });
  await assert.rejects(joinAt(server.url), (error) => hasErrorCode(error, 'SERVER_NOT_TRUSTED'));
  assert.deepEqual(server.joinBodies, []);
});

test('a refusal is told as the server words it and is final; a fault of the server is not final', async () => {
  const message = 'the token was used already';
  for (const body of [{ error: message, code: 'JOIN_TOKEN_REFUSED' }, { error: { message } }]) {
    await using server = await start({ joinAnswer: { status: 403, body } });
    await assert.rejects(
      joinAt(server.url),
      (error) => hasErrorCode(error, 'JOIN_REFUSED') && /was used already/.test(String(error)),
    );
  }
  await using server = await start({ joinAnswer: { status: 503, body: {} } });
  await assert.rejects(joinAt(server.url), (error) => hasErrorCode(error, 'SERVER_UNREACHABLE'));
});

test('a certificate for another key than the host’s is refused', async () => {
  const { certificateRequest } = await makeCertificateRequest('other');
  const certificate = await authority.issueHost(certificateRequest, hostUuid);
  const body = { hostUuid, certificate, caCertificate: authority.certificate };
  await using server = await start({ joinAnswer: { status: 200, body } });
  await assert.rejects(joinAt(server.url), (error) => hasErrorCode(error, 'JOIN_REFUSED'));
});

test('nobody listening is a failure that may pass', async () => {
  const server = await start();
  const { url } = server;
  await server[Symbol.asyncDispose]();
  await assert.rejects(joinAt(url), (error) => hasErrorCode(error, 'SERVER_UNREACHABLE'));
});

test('the identity is kept in one file that only the owner can read, in a directory closed to others', async () => {
  const stateDir = join(scratch, 'state');
  await openStateDir(stateDir);
  assert.equal(await loadIdentity(stateDir), undefined);
  await using server = await start();
  const identity = await joinAt(server.url);
  await storeIdentity(stateDir, identity);
  assert.deepEqual(await loadIdentity(stateDir), identity);
  assert.equal((await stat(identityPath(stateDir))).mode & 0o777, 0o600);
  assert.equal((await stat(stateDir)).mode & 0o777, 0o700);
  assert.deepEqual(await readdir(stateDir), ['identity.json']);
  await writeFile(identityPath(stateDir), '{"hostUuid":');
  await assert.rejects(loadIdentity(stateDir), (error) => hasErrorCode(error, 'IDENTITY_DAMAGED'));
});
