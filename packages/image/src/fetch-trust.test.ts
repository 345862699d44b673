import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { test } from 'node:test';
import { type BadWebServer, startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import { fetchOnce, image, reasons, rightDigest } from './testing/fetch-case.ts';
import { metalinkOf, requestFor } from './testing/request.ts';
import { publicKey, signatureOf, signedFile } from './testing/signed-file.ts';

let server: BadWebServer;

test.beforeEach(async () => {
  server = await startBadWebServer({ files: { image, signed: signedFile } });
});
test.afterEach(() => server.close());

const sha256Base64 = createHash('sha256').update(image).digest('base64');

/** A server that names other places, and sends only the beginning itself. */
async function announcing(
  headers: Record<string, string>,
): Promise<AsyncDisposable & { readonly url: string }> {
  const announcer: Server = createServer((_, response) => {
    response.writeHead(200, { ...headers, 'content-length': image.length });
    response.write(image.subarray(0, 100_000), () => response.destroy());
  });
  await new Promise<void>((resolve) => announcer.listen(0, '127.0.0.1', resolve));
  const address = announcer.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/image`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => announcer.close(() => resolve())),
  };
}

test('mirrors and the digest that a server tells of in its headers are used (RFC 6249)', async () => {
  const link = `<${server.url('ok', 'image')}>; rel=duplicate; pri=2`;
  await using announcer = await announcing({ link, digest: `SHA-256=${sha256Base64}` });
  const outcome = await fetchOnce(requestFor(announcer.url));
  assert.ok(outcome.fetched, outcome.failure?.message);
  assert.deepEqual(reasons(outcome), [
    'TRANSFER_CUT → same-source',
    'TRANSFER_CUT → next-source',
    'succeeded → done',
  ]);
  assert.equal(outcome.fetched.verifiedBy, 'digest');
});

test('mirrors are not used where nothing tells that they have the same file', async () => {
  const link = `<${server.url('ok', 'image')}>; rel=duplicate`;
  await using announcer = await announcing({ link });
  const outcome = await fetchOnce(requestFor(announcer.url));
  assert.equal(outcome.failure?.code, 'TRANSFER_CUT');
  assert.equal(server.requests().length, 0);
});

test('a mirror from the headers that has other bytes is found out', async () => {
  server.setFile('other', Buffer.from(image).fill(1, 0, 10));
  const link = `<${server.url('ok', 'other')}>; rel=duplicate; pri=2`;
  await using announcer = await announcing({ link, digest: `SHA-256=${sha256Base64}` });
  const { failure } = await fetchOnce(requestFor(announcer.url, { expectedDigest: rightDigest }));
  assert.equal(failure?.code, 'DIGEST_MISMATCH');
});

/** A metalink of the signed file, with the signature of a key. */
function signedMetalink(signer: string | undefined, file = 'signed'): string {
  const text = metalinkOf([server.url('ok', file)], { size: signedFile.length }).toString();
  const signature = signer && signatureOf(signer);
  const element = signature
    ? `<signature mediatype="${signature.mediaType}">${signature.text}</signature>`
    : '';
  server.setFile('image.metalink', Buffer.from(text.replace('</file>', `${element}</file>`)));
  return server.url('ok', 'image.metalink');
}
const signatureKeys = [publicKey('ed25519')];

test('with keys configured, an image that one of them has signed is fetched', async () => {
  const outcome = await fetchOnce(requestFor(signedMetalink('ed25519'), { signatureKeys }), signedFile);
  assert.ok(outcome.fetched, outcome.failure?.message);
});

for (const [what, url, code] of [
  ['a metalink without a signature', () => signedMetalink(undefined), 'SIGNATURE_MISSING'],
  ['an image that is no metalink', () => server.url('ok', 'signed'), 'SIGNATURE_MISSING'],
  ['a signature of another key', () => signedMetalink('rsa2048'), 'SIGNATURE_INVALID'],
  ['other bytes than those signed', () => signedMetalink('ed25519', 'image2'), 'SIGNATURE_MISMATCH'],
] as const) {
  test(`with keys configured, ${what} is refused`, async () => {
    server.setFile('image2', Buffer.from(signedFile).fill(9, 500, 600));
    const { failure } = await fetchOnce(requestFor(url(), { signatureKeys }), signedFile);
    assert.equal(failure?.code, code, failure?.message);
  });
}
