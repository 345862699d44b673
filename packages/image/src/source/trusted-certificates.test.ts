import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer, getCACertificates } from 'node:tls';
import { FetchFault } from '../errors.ts';
import { checkCaPem, makeTrust, type ReadStore, trustedCertificates } from './trusted-certificates.ts';

const pem = (name: string) => readFile(new URL(`../testdata/tls/${name}`, import.meta.url), 'utf8');
const ca = await pem('ca.pem');
const otherCa = await pem('other-ca.pem');
const leaf = await pem('localhost.pem');
const key = await pem('localhost.key');
const now = Date.UTC(2027, 0, 1);

const stores =
  (has: Partial<Record<'system' | 'bundled' | 'extra', string[]>>): ReadStore =>
  (store) =>
    has[store] ?? [];

test('uploaded CAs are trusted besides the host’s own, not instead of them', () => {
  const public_ = getCACertificates('system').length > 0 ? 'system' : 'bundled';
  const trusted = new Set(trustedCertificates([ca]));
  assert.ok(trusted.has(ca));
  const roots = getCACertificates(public_);
  assert.ok(roots.length > 50);
  assert.deepEqual(
    roots.filter((root) => !trusted.has(root)),
    [],
  );
});

test('Node’s own roots stand in only where the host has none', () => {
  const bundled = ['bundled'];
  assert.deepEqual(trustedCertificates(['up'], stores({ system: ['s', 's'], bundled, extra: ['e'] })), [
    's',
    'e',
    'up',
  ]);
  assert.deepEqual(trustedCertificates([], stores({ bundled })), bundled);
});

/** How a connection to a server with the certificate of `localhost` ends. */
async function handshake(uploaded: readonly string[], read: ReadStore, servername = 'localhost') {
  const server = createServer({ key, cert: leaf }, (socket) => socket.on('error', () => {}).end());
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ host: '127.0.0.1', port, servername, secureContext: makeTrust(uploaded, read) });
  try {
    await once(socket, 'secureConnect');
    return 'trusted';
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  } finally {
    socket.destroy();
    server.close();
  }
}

test('a certificate holds by an uploaded CA or by the host’s, for its own host name', async () => {
  assert.equal(await handshake([], stores({ system: [otherCa] })), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  assert.equal(await handshake([ca], stores({ system: [otherCa] })), 'trusted');
  assert.equal(await handshake([otherCa], stores({ system: [ca] })), 'trusted');
  assert.equal(await handshake(['unreadable', ca], stores({ system: [otherCa] })), 'trusted');
  assert.equal(
    await handshake([ca], stores({ system: [otherCa] }), 'example.org'),
    'ERR_TLS_CERT_ALTNAME_INVALID',
  );
});

test('CA certificates are read one by one, whatever is written around them', () => {
  const found = checkCaPem(`# our CAs\r\n${ca.replaceAll('\n', '\r\n')}\nsubject=x\n${otherCa}`, now);
  assert.equal(found.length, 2);
  assert.ok(found.every((one) => one.startsWith('-----BEGIN CERTIFICATE-----\n')));
  assert.deepEqual(
    found.map((one) => one.trim()),
    [ca.trim(), otherCa.trim()],
  );
});

test('what can never verify anything, or must not be kept, is refused with its reason', () => {
  const broken = ca.replace(/\n(.{10})/, '\nAAAAAAAAAA');
  for (const [text, at, reason] of [
    ['', now, /there is none/],
    ['-----BEGIN CERTIFICATE-----\nMIIB', now, /not complete/],
    [`${ca}-----BEGIN CERTIFICATE-----\n`, now, /not complete/],
    [broken, now, /certificate 1 cannot be read/],
    [`${ca}${key}`, now, /no private keys/],
    [leaf, now, /certificate 1 is not that of a CA/],
    [`${otherCa}${ca}`, Date.UTC(2200, 0, 1), /certificate 1 expired on 21/],
    [ca.repeat(101), now, /more than 100/],
    [' '.repeat(300_000), now, /larger than/],
  ] as const) {
    assert.throws(
      () => checkCaPem(text, at),
      (error) =>
        error instanceof FetchFault &&
        error.code === 'REQUEST_MALFORMED' &&
        reason.test(error.message) &&
        !error.message.includes('MII'),
      String(reason),
    );
  }
});
