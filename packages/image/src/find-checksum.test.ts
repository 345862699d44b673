import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { type MillraceError, silentLogger } from '@millrace/core';
import { type BadWebServer, startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import { FetchFault } from './errors.ts';
import { type ChecksumRequest, findChecksum } from './find-checksum.ts';
import { quickLimits } from './testing/request.ts';
import { openpgpFixture, publicKey, signedFile } from './testing/signed-file.ts';

const log = silentLogger;
const { signal } = new AbortController();
const hex = createHash('sha256').update(signedFile).digest('hex');
const a256 = 'a'.repeat(64);

const files = {
  SHA256SUMS: Buffer.from(`${a256}  image.qcow2\n${hex} *signed.bin\n`),
  'image.qcow2.sha256': Buffer.from(`${a256}\n`),
  signed: openpgpFixture('SHA256SUMS'),
  'signed.asc': Buffer.from('<html>not found, says a page with status 200</html>'),
  'signed.gpg': openpgpFixture('SHA256SUMS.gpg'),
  clear: openpgpFixture('clear-signed.asc'),
  page: Buffer.from('<!DOCTYPE html><html>login</html>'),
  large: Buffer.alloc(1024 * 1024 + 1, '# a comment\n'),
};

function find(server: BadWebServer, change: Partial<ChecksumRequest> & { readonly list?: string }) {
  const { list = 'SHA256SUMS', ...rest } = change;
  const request = {
    url: server.url('ok', 'image.qcow2'),
    headers: {},
    checksumUrl: server.url('ok', list),
    limits: quickLimits,
    egress: undefined,
    ...rest,
  };
  return findChecksum(request, { signal, log });
}

function unusable(cause: string, message = /./) {
  return (error: unknown) =>
    error instanceof FetchFault &&
    error.code === 'CHECKSUM_LIST_UNUSABLE' &&
    (error.cause as MillraceError | undefined)?.code === cause &&
    message.test(error.message);
}

test('the entry of the image is found, also for the URL of its metalink and for a file asked for by name', async () => {
  await using server = await startBadWebServer({ files });
  const cases: [Partial<ChecksumRequest> & { list?: string }, string][] = [
    [{}, a256],
    [{ url: server.url('ok', 'signed.bin?X-Signature=1') }, hex],
    [{ url: 'http://elsewhere.example/dir/signed.bin.meta4' }, hex],
    [{ url: 's3://bucket/signed.bin' }, hex],
    [{ wantedFile: 'signed.bin' }, hex],
    [{ list: 'image.qcow2.sha256' }, a256],
  ];
  for (const [change, expected] of cases) {
    const { digest } = await find(server, change);
    assert.deepEqual(digest, { algorithm: 'SHA-256', hex: expected });
  }
});

test('plain http is called no more than what it is, with everything the list was warned about', async () => {
  await using server = await startBadWebServer({ files });
  const { trust, warnings } = await find(server, { list: 'image.qcow2.sha256' });
  assert.match(trust, /plain http from 127\.0\.0\.1:\d+: .* can change the list too$/);
  assert.match(warnings.join(), /stands alone/);
});

test('https is trusted in the name of its host, and not when a redirect leaves it', async () => {
  const pem = (name: string) => readFile(new URL(`./testdata/tls/${name}`, import.meta.url), 'utf8');
  const tls = { key: await pem('localhost.key'), cert: await pem('localhost.pem') };
  const extraCa = [await pem('ca.pem')];
  await using secure = await startBadWebServer({ files, tls });
  await using plain = await startBadWebServer({ files });
  const origin = `https://localhost:${secure.port}`;
  const checksumUrl = `${origin}/ok/SHA256SUMS`;
  const vouched = await find(plain, { checksumUrl, extraCa });
  assert.match(vouched.trust, /https from localhost:\d+, which vouches for it$/);
  const same = await find(plain, { checksumUrl, extraCa, url: `${origin}/ok/image.qcow2` });
  assert.match(same.trust, /serves the image too.*not against that server$/);
  const target = encodeURIComponent(plain.url('ok', 'SHA256SUMS'));
  const left = await find(plain, { checksumUrl: `${origin}/redirect-to/?url=${target}`, extraCa });
  assert.match(left.trust, /plain http/);
  assert.match(left.warnings.join(), /from https to http/);
  await assert.rejects(find(plain, { checksumUrl }), unusable('TLS_FAILED'));
});

test('with keys a list must be signed, inside or beside it, by one of them', async () => {
  await using server = await startBadWebServer({ files });
  const url = server.url('ok', 'signed.bin');
  const keys = [publicKey('rsa2048'), publicKey('ed25519')];
  for (const [list, signer] of [
    ['signed', /"Test rsa2048/],
    ['clear', /"Test ed25519/],
  ] as const) {
    const found = await find(server, { list, url, signatureKeys: keys });
    assert.equal(found.digest.hex, hex);
    assert.match(found.trust, /is signed by key [0-9A-F]{40} /);
    assert.match(found.trust, signer);
  }
  const rejected = (list: string, signatureKeys: readonly string[], code: string) =>
    assert.rejects(
      find(server, { list, url, signatureKeys }),
      (error) => error instanceof FetchFault && error.code === code,
    );
  await rejected('SHA256SUMS', keys, 'SIGNATURE_MISSING');
  await rejected('signed', [publicKey('nistp256')], 'SIGNATURE_INVALID');
  await rejected('clear', [publicKey('nistp256')], 'SIGNATURE_INVALID');
  await rejected('signed', ['no key'], 'REQUEST_MALFORMED');
});

test('the headers of the image go to its own origin only', async () => {
  await using own = await startBadWebServer({ files });
  await using other = await startBadWebServer({ files });
  const headers = { 'x-token': 'secret' };
  await find(own, { headers });
  await find(own, { headers, checksumUrl: other.url('ok', 'SHA256SUMS') });
  assert.equal(own.requests()[0]?.headers['x-token'], 'secret');
  assert.equal(other.requests()[0]?.headers['x-token'], undefined);
});

test('a list that cannot be used is refused with its redacted URL and the reason', async () => {
  await using server = await startBadWebServer({ files });
  await assert.rejects(find(server, { list: 'nothing' }), unusable('HTTP_NOT_FOUND', /\/ok\/nothing: /));
  await assert.rejects(find(server, { list: 'page' }), unusable('CHECKSUM_LIST_MALFORMED', /web page/));
  await assert.rejects(
    find(server, { wantedFile: 'x' }),
    unusable('CHECKSUM_ENTRY_MISSING', /"image\.qcow2"/),
  );
  await assert.rejects(find(server, { checksumUrl: 'file:///etc/passwd' }), unusable('SCHEME_REFUSED'));
  await assert.rejects(find(server, { egress: { allowedCidrs: [] } }), unusable('EGRESS_REFUSED'));
  const secret = server.url('ok', 'nothing?token=secret').replace('//', '//user:secret@');
  await assert.rejects(find(server, { checksumUrl: secret }), (error) => !String(error).includes('secret'));
  const code = (expected: string) => (error: unknown) =>
    error instanceof FetchFault && error.code === expected;
  await assert.rejects(find(server, { list: 'large' }), code('CHECKSUM_LIST_UNUSABLE'));
  await assert.rejects(find(server, { checksumUrl: 'SHA256SUMS' }), code('REQUEST_MALFORMED'));
});

test('an aborted search ends with the reason of the signal', async () => {
  await using server = await startBadWebServer({ files });
  const reason = new FetchFault('PROBE_TIMEOUT', '');
  const stop = new AbortController();
  const request = { url: server.url('ok', 'x'), checksumUrl: server.url('hang', 'SHA256SUMS') };
  const search = findChecksum(
    { ...request, headers: {}, limits: quickLimits, egress: undefined },
    { signal: stop.signal, log },
  );
  setTimeout(() => stop.abort(reason), 20);
  await assert.rejects(search, reason);
});
