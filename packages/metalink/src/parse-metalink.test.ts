import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '@millrace/core';
import fc from 'fast-check';
import { metalinkErrors, metalinkLimitBytes, parseMetalink, selectSources } from './index.ts';

const sha256 = 'a'.repeat(64);

function v4(body: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<metalink xmlns="urn:ietf:params:xml:ns:metalink">${body}</metalink>`;
}

function v3(body: string): string {
  return `<metalink version="3.0" xmlns="http://www.metalinker.org/"><files>${body}</files></metalink>`;
}

function refusal(code: keyof typeof metalinkErrors) {
  return (error: unknown) => error instanceof MillraceError && error.code === code;
}

test('a version 4 metalink yields name, size, digests, pieces and sources as listed', () => {
  const document = parseMetalink(
    v4(`<file name="debian.qcow2"><size>1234</size>
      <hash type="sha-256">${sha256}</hash><hash type="md5">${'B'.repeat(32)}</hash>
      <pieces length="100" type="sha-256"><hash>${'c'.repeat(64)}</hash></pieces>
      <url priority="2" location="DE">http://b.example/debian.qcow2</url>
      <url priority="1"> https://a.example/debian.qcow2 </url>
      <url>http://c.example/debian.qcow2</url></file>`),
  );
  assert.equal(document.version, 4);
  assert.deepEqual(document.files, [
    {
      name: 'debian.qcow2',
      sizeBytes: 1234,
      digests: [
        { algorithm: 'SHA-256', hex: sha256 },
        { algorithm: 'MD5', hex: 'b'.repeat(32) },
      ],
      pieces: [{ algorithm: 'SHA-256', lengthBytes: 100, hexDigests: ['c'.repeat(64)] }],
      sources: [
        { url: 'http://b.example/debian.qcow2', location: 'de', priority: 2 },
        { url: 'https://a.example/debian.qcow2', priority: 1 },
        { url: 'http://c.example/debian.qcow2' },
      ],
    },
  ]);
  assert.deepEqual(document.warnings, []);
});

test('a version 3 metalink yields preference, type, maxconnections, digests and pieces of verification', () => {
  const document = parseMetalink(
    v3(`<file name="a.iso"><size>9</size>
      <verification><hash type="sha1">${'1'.repeat(40)}</hash>
        <pieces length="4" type="sha1"><hash piece="0">${'2'.repeat(40)}</hash></pieces></verification>
      <resources maxconnections="4"><url type="http" location="fr" preference="90" maxconnections="1">http://m/a.iso</url>
      <url type="ftp" preference="100">ftp://m/a.iso</url></resources></file>`),
  );
  assert.equal(document.version, 3);
  assert.deepEqual(document.files[0], {
    name: 'a.iso',
    sizeBytes: 9,
    digests: [{ algorithm: 'SHA-1', hex: '1'.repeat(40) }],
    pieces: [{ algorithm: 'SHA-1', lengthBytes: 4, hexDigests: ['2'.repeat(40)] }],
    maxConnections: 4,
    sources: [
      { url: 'http://m/a.iso', location: 'fr', preference: 90, maxConnections: 1, type: 'http' },
      { url: 'ftp://m/a.iso', preference: 100, type: 'ftp' },
    ],
  });
});

test('a metalink without a namespace, with a prefix, with comments and a byte order mark is read all the same', () => {
  const plain = '<metalink><file name="x"><url>http://m/x</url></file></metalink>';
  const prefixed =
    '<m:metalink xmlns:m="urn:ietf:params:xml:ns:metalink"><!-- c --><m:file name="x"><m:url>http://m/x</m:url></m:file></m:metalink>';
  for (const text of [plain, prefixed, Buffer.from(`\uFEFF${plain}`)]) {
    assert.equal(parseMetalink(text).files[0]?.sources[0]?.url, 'http://m/x');
  }
});

test('elements of a foreign namespace are left out with everything inside', () => {
  const document = parseMetalink(
    v4(
      '<file name="x"><url>http://m/x</url><e:extra xmlns:e="urn:e"><url xmlns="urn:ietf:params:xml:ns:metalink">http://evil/x</url></e:extra></file>',
    ),
  );
  assert.deepEqual(
    document.files[0]?.sources.map((source) => source.url),
    ['http://m/x'],
  );
});

test('malformed entries are dropped with a reason and the rest is kept', () => {
  const document = parseMetalink(
    v4(`<file name="x"><size>12 kB</size><hash type="sha-256">abc</hash><hash type="crc32">00</hash><hash>${sha256}</hash>
      <hash type="sha-256">${sha256}</hash><url>not a url?token=secret</url><url>http://u:secret@m:port/x</url><url priority="0">http://m/x</url></file>`),
  );
  assert.equal(document.files[0]?.digests.length, 1);
  assert.deepEqual(document.files[0]?.sources, [{ url: 'http://m/x' }]);
  assert.equal(document.warnings.length, 7);
  assert.ok(document.warnings.some((warning) => warning.includes('12 kB')));
  assert.ok(document.warnings.some((warning) => warning.includes('crc32')));
  assert.ok(!document.warnings.join().includes('secret'), 'no secret of a URL may reach a warning');
});

test('pieces of version 3 are put in order by their number, and every list is read', () => {
  const numbered = (...pieces: [number | string, string][]) =>
    pieces.map(([number, digit]) => `<hash piece="${number}">${digit.repeat(40)}</hash>`).join('');
  const parse = (body: string) =>
    parseMetalink(v3(`<file name="x"><verification>${body}</verification></file>`)).files[0]!.pieces;
  const [first, second] = parse(
    `<pieces length="4" type="sha1">${numbered([2, 'C'], [0, 'a'], [1, 'b'])}</pieces>
     <pieces length="9" type="sha256"><hash>${sha256}</hash></pieces>`,
  );
  assert.deepEqual(first?.hexDigests, ['a'.repeat(40), 'b'.repeat(40), 'c'.repeat(40)]);
  assert.deepEqual(second, { algorithm: 'SHA-256', lengthBytes: 9, hexDigests: [sha256] });
});

test('a list of pieces that is not whole is dropped with a reason', () => {
  const good = `<hash>${sha256}</hash>`;
  const at = (number: string) => `<hash piece="${number}">${sha256}</hash>`;
  const cases: [attributes: string, hashes: string, reason: RegExp][] = [
    ['length="4" type="crc32"', good, /crc32/],
    ['length="4"', good, /type ""/],
    ['type="sha-256"', good, /length ""/],
    ['length="0" type="sha-256"', good, /length "0"/],
    ['length="-4" type="sha-256"', good, /length "-4"/],
    ['length="9999999999999999" type="sha-256"', good, /length "9/],
    ['length="4" type="sha-256"', '', /no hash/],
    ['length="4" type="sha-256"', `${good}<hash>${'a'.repeat(40)}</hash>`, /piece 1 is not a SHA-256/],
    ['length="4" type="sha-256"', at('0') + at('0'), /piece 1 is missing/],
    ['length="4" type="sha-256"', at('0') + at('2'), /piece 1 is missing/],
    ['length="4" type="sha-256"', at('999999999'), /piece 0 is missing/],
    ['length="4" type="sha-256"', at('0') + good, /piece 1 is missing/],
  ];
  for (const [attributes, hashes, reason] of cases) {
    const document = parseMetalink(v4(`<file name="x"><pieces ${attributes}>${hashes}</pieces></file>`));
    assert.deepEqual(document.files[0]?.pieces, []);
    assert.equal(document.warnings.length, 1);
    assert.match(document.warnings[0]!, reason);
  }
});

test('the OpenPGP signature of a file is kept as written, in both versions', () => {
  const armour = '-----BEGIN PGP SIGNATURE-----\n\niQEz\n=abcd\n-----END PGP SIGNATURE-----';
  const expected = { mediaType: 'application/pgp-signature', text: armour };
  const four = parseMetalink(
    v4(`<file name="x"><signature mediatype="application/x-other">x</signature>
      <signature mediatype="Application/PGP-Signature; a=b">\n${armour}\n</signature></file>`),
  );
  assert.deepEqual(four.files[0]?.signature, expected);
  assert.match(four.warnings.join(), /mediatype "application\/x-other" is not known/);
  const three = parseMetalink(
    v3(
      `<file name="x"><verification><signature type="pgp" file="x.sig">${armour}</signature></verification></file>`,
    ),
  );
  assert.deepEqual(three.files[0]?.signature, expected);
  const empty = parseMetalink(v4('<file name="x"><signature mediatype="application/pgp-signature"/></file>'));
  assert.equal(empty.files[0]?.signature, undefined);
  assert.match(empty.warnings.join(), /signature ignored: it is empty/);
});

test('of two digests that contradict each other the first counts, with a warning', () => {
  const document = parseMetalink(
    v4(
      `<file name="x"><hash type="sha-256">${'a'.repeat(64)}</hash><hash type="sha256">${'b'.repeat(64)}</hash></file>`,
    ),
  );
  assert.deepEqual(document.files[0]?.digests, [{ algorithm: 'SHA-256', hex: 'a'.repeat(64) }]);
  assert.match(document.warnings.join(), /a second SHA-256/);
});

test('URLs that differ in nothing but a fragment are one source', () => {
  const document = parseMetalink(v4('<file name="x"><url>http://m/x#a</url><url>http://m/x#b</url></file>'));
  assert.equal(selectSources(document, { location: [], sourceOrder: 'priority' }).sources.length, 1);
});

test('warnings stay bounded however much of the document is malformed', () => {
  const document = parseMetalink(
    v4(`<file name="x">${'<url>bad</url>'.repeat(1500)}<url>http://m/x</url></file>`),
  );
  assert.equal(document.warnings.length, 51);
  assert.equal(document.warnings.at(-1), 'and 1450 more');
});

test('a well indented list of 2000 mirrors is within the limits', () => {
  const urls = Array.from({ length: 2000 }, (_, i) => `\n        <url>http://m${i}.example/x</url>`).join('');
  assert.equal(parseMetalink(v4(`<file name="x">${urls}</file>`)).files[0]?.sources.length, 2000);
});

test('hostile documents are refused with the code that names the reason', () => {
  const bomb = `<!DOCTYPE m [<!ENTITY a "${'x'.repeat(1000)}"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>${v4('<file name="&b;"/>').slice(39)}`;
  const external = `<!DOCTYPE m [<!ENTITY e SYSTEM "file:///etc/passwd">]><metalink><file name="&e;"/></metalink>`;
  const cases: [string | Uint8Array, keyof typeof metalinkErrors][] = [
    [bomb, 'METALINK_DOCTYPE'],
    [external, 'METALINK_DOCTYPE'],
    ['<!DOCTYPE metalink SYSTEM "http://evil/x.dtd"><metalink/>', 'METALINK_DOCTYPE'],
    [v4('<file name="&undefined;"/>'), 'METALINK_MALFORMED'],
    [`<metalink>${'<a>'.repeat(100_000)}`, 'METALINK_TOO_LARGE'],
    [v4(`<file name="x">${'<url>http://m/</url>'.repeat(2001)}</file>`), 'METALINK_TOO_LARGE'],
    [v4('<file name="x"/>'.repeat(65)), 'METALINK_TOO_LARGE'],
    [
      v4(`<file name="x">${`<hash type="md5">${'0'.repeat(32)}</hash>`.repeat(1001)}</file>`),
      'METALINK_TOO_LARGE',
    ],
    [v4(`<file name="x"><url>http://m/${'a'.repeat(9000)}</url></file>`), 'METALINK_TOO_LARGE'],
    [v4('<a/>'.repeat(120_000)), 'METALINK_TOO_LARGE'],
    [`<metalink ${Array.from({ length: 50_000 }, (_, i) => `a${i}="1"`).join(' ')}/>`, 'METALINK_TOO_LARGE'],
    [v4(`<file name="x" note="${'a'.repeat(9000)}"/>`), 'METALINK_TOO_LARGE'],
    [' '.repeat(metalinkLimitBytes + 1), 'METALINK_TOO_LARGE'],
    [v4('<file name="../../etc/cron.d/x"><url>http://m/x</url></file>'), 'METALINK_UNSAFE_NAME'],
    [v4('<file name="a/../../x"/>'), 'METALINK_UNSAFE_NAME'],
    [v4('<file name="/etc/passwd"/>'), 'METALINK_UNSAFE_NAME'],
    [v4('<file name="..\\x"/>'), 'METALINK_UNSAFE_NAME'],
    [v3('<file name="C:\\x"/>'), 'METALINK_UNSAFE_NAME'],
    ['', 'METALINK_MALFORMED'],
    ['<metalink>', 'METALINK_MALFORMED'],
    ['<html><body/></html>', 'METALINK_MALFORMED'],
    ['<metalink/>', 'METALINK_MALFORMED'],
    ['<metalink/><metalink/>', 'METALINK_MALFORMED'],
    [Buffer.from([0x3c, 0x6d, 0xff, 0xfe]), 'METALINK_MALFORMED'],
  ];
  for (const [input, code] of cases) {
    assert.throws(() => parseMetalink(input), refusal(code), `${code}: ${String(input).slice(0, 60)}`);
  }
});

test('arbitrary input never makes the parser or the selection throw anything but an error of this package', () => {
  const tag = fc.constantFrom(
    'metalink',
    'files',
    'file',
    'url',
    'hash',
    'size',
    'verification',
    'resources',
    'pieces',
    'x:y',
  );
  const attribute = fc.tuple(
    fc.constantFrom(
      'name',
      'type',
      'priority',
      'preference',
      'location',
      'xmlns',
      'xmlns:x',
      'maxconnections',
    ),
    fc.oneof(
      fc.string(),
      fc.constantFrom('1', '../x', 'urn:ietf:params:xml:ns:metalink', 'sha-256', 'urn:other'),
    ),
  );
  const { document } = fc.letrec<{ document: string; content: string }>((tie) => ({
    content: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.constantFrom(
        'http://m/x',
        'ftp://m/x',
        '<![CDATA[http://m/y]]>',
        '&amp;',
        sha256,
        '<!--',
        ']]>',
        '&x;',
      ),
      tie('document'),
    ),
    document: fc
      .tuple(tag, fc.array(attribute, { maxLength: 3 }), fc.array(tie('content'), { maxLength: 4 }))
      .map(([name, attributes, content]) => {
        const written = attributes.map(([key, value]) => ` ${key}="${value}"`).join('');
        return `<${name}${written}>${content.join('')}</${name}>`;
      }),
  }));
  const wrapped = document.map((body) => `<metalink><file name="n">${body}</file></metalink>`);
  const bytes = fc.uint8Array({ maxLength: 200 });
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(fc.string(), document, wrapped, bytes), (input) => {
      try {
        const parsed = parseMetalink(input);
        accepted += 1;
        selectSources(parsed, { location: ['de'], sourceOrder: 'priority', wantedName: 'n' });
      } catch (error) {
        assert.ok(error instanceof MillraceError, `threw ${String(error)}`);
        assert.ok(error.code in metalinkErrors, error.code);
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(accepted > 50, 'the generator must also reach documents that parse');
});
