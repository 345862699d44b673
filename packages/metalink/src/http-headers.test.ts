import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { documentOfHeaders, type ResponseHeaders, readMirrorHeaders, selectSources } from './index.ts';

const url = 'https://origin.example/dir/image.qcow2';
const base64 = (algorithm: string) => createHash(algorithm).update('image').digest('base64');
const hex = (algorithm: string) => createHash(algorithm).update('image').digest('hex');
const digest = `SHA-256=${base64('sha256')}`;

function read(headers: ResponseHeaders, digestKnown = false) {
  return readMirrorHeaders(headers, { url, digestKnown });
}

test('mirrors, metalinks and signatures are read from Link with priority, location and depth', () => {
  const found = read({
    digest,
    link: [
      '<http://a.example/image.qcow2>; rel=duplicate; pri=1; pref; geo=DE; depth=2',
      '</other/image.qcow2>; REL="duplicate"; pri=20, <http://c.example/x,y;z>; rel="describes duplicate"',
      '<image.qcow2.meta4>; rel=describedby; type="application/metalink4+xml"; name="a, b; \\"c\\""',
      '<image.qcow2.asc>; rel=describedby; type="application/pgp-signature"',
      '<http://elsewhere.example/>; rel=canonical',
    ],
  });
  assert.deepEqual(found.sources, [
    { url: 'http://a.example/image.qcow2', location: 'de', priority: 1, depth: 2 },
    { url: 'https://origin.example/other/image.qcow2', priority: 20 },
    { url: 'http://c.example/x,y;z' },
  ]);
  assert.deepEqual(found.describedBy, ['https://origin.example/dir/image.qcow2.meta4']);
  assert.deepEqual(found.signatures, ['https://origin.example/dir/image.qcow2.asc']);
  assert.deepEqual(found.warnings, []);
});

test('digests are read from Digest and Repr-Digest, unknown and malformed ones dropped with a reason', () => {
  const found = read({
    digest: `MD5=${base64('md5')}, SHA=${base64('sha1')}, id-sha-512=${base64('sha512')}, UNIXsum=30637, SHA-256=abcd`,
    'repr-digest': `sha-256=:${base64('sha256')}:, sha-512=:!:`,
  });
  const digests = new Map(found.digests.map((one) => [one.algorithm, one.hex]));
  assert.deepEqual(
    digests,
    new Map([
      ['SHA-256', hex('sha256')],
      ['MD5', hex('md5')],
      ['SHA-1', hex('sha1')],
      ['SHA-512', hex('sha512')],
    ] as const),
  );
  assert.equal(found.warnings.length, 3);
  assert.match(found.warnings.join(), /UNIXsum/);
});

test('of two digests that contradict each other the first counts, with a warning', () => {
  const other = createHash('sha256').update('other').digest('base64');
  const found = read({ 'repr-digest': `sha-256=:${base64('sha256')}:`, digest: `SHA-256=${other}` });
  assert.deepEqual(found.digests, [{ algorithm: 'SHA-256', hex: hex('sha256') }]);
  assert.match(found.warnings.join(), /a second SHA-256/);
});

test('links count only beside a digest of SHA-256 or better, from the server or from elsewhere', () => {
  const link =
    '<http://a.example/x>; rel=duplicate, <x.meta4>; rel=describedby; type=application/metalink4+xml';
  for (const headers of [{ link }, { link, digest: `SHA=${base64('sha1')},MD5=${base64('md5')}` }]) {
    const found = read(headers);
    assert.deepEqual([found.sources, found.describedBy], [[], []]);
    assert.match(found.warnings.join(), /RFC 6249/);
    assert.equal(read(headers, true).sources.length, 1);
  }
  assert.deepEqual(read({}).warnings, []);
});

test('a link whose anchor is something else says nothing about the file', () => {
  const link = `<http://a/x>; rel=duplicate; anchor="/other", <http://b/x>; rel=duplicate; anchor="${url}"`;
  assert.deepEqual(
    read({ link, digest }).sources.map((source) => source.url),
    ['http://b/x'],
  );
});

test('malformed links are dropped with a reason that holds no secret, and the rest is kept', () => {
  const found = read({
    digest,
    link: 'garbage, <http://u:secret@m:port/?key=secret>; rel=duplicate, <http://a/x>; rel=duplicate; pri=0; depth=-1 secret, <http://b/x>; rel=duplicate, <http://cut',
  });
  assert.deepEqual(found.sources, [{ url: 'http://a/x' }, { url: 'http://b/x' }]);
  assert.equal(found.warnings.length, 6);
  assert.ok(!found.warnings.join().includes('secret'));
});

test('too much of anything is left out within a moment', () => {
  const started = performance.now();
  const many = read({ digest, link: '<http://m/x>;rel=duplicate,'.repeat(2000) });
  assert.equal(many.sources.length, 500);
  assert.match(read({ digest, link: 'x'.repeat(70_000) }).warnings.join(), /at most 65536/);
  assert.match(read({ digest: 'x'.repeat(5000) }).warnings.join(), /at most 4096/);
  for (const part of ['<a>;a="', '<a>;a="\\', '<a> ', ';', '<', '<a>;  ', ';a ', '<a>;a=b;', '"']) {
    read({ digest, link: part.repeat(60_000 / part.length) });
    read({ digest, link: `<a>${part.repeat(60_000 / part.length)}` });
  }
  assert.ok(performance.now() - started < 5000, `${performance.now() - started} ms`);
});

test('as a document the URL that answered comes first, and mirrors of its priority share its rank', () => {
  const found = read({
    digest,
    link: '<http://b/x>; rel=duplicate; pri=2, <http://a/x>; rel=duplicate; pri=1',
  });
  const selection = selectSources(documentOfHeaders(url, found), { location: [], sourceOrder: 'priority' });
  assert.deepEqual(
    selection.sources.map((source) => [source.url, source.rank]),
    [
      [url, 1],
      ['http://a/x', 1],
      ['http://b/x', 2],
    ],
  );
  assert.equal(selection.fileName, 'image.qcow2');
  assert.equal(selection.strongestDigest?.hex, hex('sha256'));
});

test('whatever a server sends, reading it does not throw, and what is found is absolute', () => {
  const part = fc.constantFrom(
    '<',
    '>',
    ';',
    ',',
    '"',
    '\\',
    '=',
    ' ',
    'rel=duplicate',
    '<http://m/x>',
    'pri=1',
    'anchor=',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 30 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, fc.oneof(text, fc.constant(digest)), text, (link, digestText, repr) => {
      const found = read({ link, digest: digestText, 'repr-digest': repr }, true);
      for (const source of found.sources) assert.ok(URL.canParse(source.url), source.url);
      assert.ok(found.warnings.length <= 51);
    }),
    { numRuns: 1000 },
  );
});
