import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '@millrace/core';
import fc from 'fast-check';
import { chooseChecksum, metalinkErrors, parseChecksumList } from './index.ts';

const a256 = 'a'.repeat(64);
const b256 = 'b'.repeat(64);

function find(text: string | Uint8Array, name: string) {
  return chooseChecksum(parseChecksumList(text), name).digest;
}

function refusal(code: keyof typeof metalinkErrors, message = /./) {
  return (error: unknown) =>
    error instanceof MillraceError && error.code === code && message.test(error.message);
}

test('lines of coreutils are read in text and binary mode, with escaped names and any line ends', () => {
  const list = [
    `${a256}  text.img`,
    `${b256.toUpperCase()} *binary.img`,
    `\\${a256}  line\\nend\\\\slash.img`,
    `${a256}   leading blank.img`,
    `${a256}\ttab.img`,
    `${a256} single.img`,
    `${a256}  line\u2028separator.img`,
    '# a comment',
    '',
  ].join('\r\n');
  for (const name of [
    'text.img',
    'line\nend\\slash.img',
    ' leading blank.img',
    'tab.img',
    'single.img',
    'line\u2028separator.img',
  ]) {
    assert.deepEqual(find(list, name), { algorithm: 'SHA-256', hex: a256 }, name);
  }
  assert.equal(find(`\uFEFF${list}`, 'binary.img').hex, b256);
  assert.deepEqual(parseChecksumList(list).warnings, []);
});

test('tagged lines of BSD, coreutils and OpenSSL name their algorithm, and an unknown one is left out', () => {
  const list = [
    `SHA256 (a (1) = b.img) = ${a256}`,
    `SHA2-512(o.img)= ${'c'.repeat(128)}`,
    `BLAKE2b (o.img) = ${'d'.repeat(128)}`,
    `SHA512/256 (o.img) = ${'e'.repeat(64)}`,
    `\\SHA256 (x\\ny) = ${b256}`,
  ].join('\n');
  assert.equal(find(list, 'a (1) = b.img').hex, a256);
  assert.equal(find(list, 'x\ny').hex, b256);
  assert.deepEqual(find(list, 'o.img'), { algorithm: 'SHA-512', hex: 'c'.repeat(128) });
  assert.equal(parseChecksumList(list).warnings.length, 2);
});

test('a digest that stands alone is about whatever it lies beside, and only then', () => {
  for (const text of [a256, `${a256}\n`, `{SHA-256}${a256}`, `${a256}  -\n`, `# sha256\n${a256}`]) {
    const chosen = chooseChecksum(parseChecksumList(text), 'any.img');
    assert.equal(chosen.digest.hex, a256);
    assert.match(chosen.warnings.join(), /stands alone/);
  }
  assert.throws(() => find(`${a256}\n${b256}`, 'any.img'), refusal('CHECKSUM_ENTRY_AMBIGUOUS'));
  assert.throws(() => find(`${a256}\n${b256}  other.img`, 'any.img'), refusal('CHECKSUM_ENTRY_MISSING'));
});

test('the full name decides before the last part of a path, and case matters', () => {
  const list = `${a256}  old/x.img\n${b256} *./x.img`;
  assert.equal(find(list, 'x.img').hex, b256);
  assert.equal(find(list, 'old/x.img').hex, a256);
  assert.equal(find(`${a256}  ./dir/x.img`, 'x.img').hex, a256);
  assert.throws(() => find(list, 'X.img'), refusal('CHECKSUM_ENTRY_MISSING', /"old\/x\.img", "\.\/x\.img"/));
  assert.throws(
    () => find(`${a256}  a/x.img\n${b256}  b/x.img`, 'x.img'),
    refusal('CHECKSUM_ENTRY_AMBIGUOUS', /a{64} and b{64}/),
  );
});

test('of several algorithms for one file the strongest is taken, and a weak one is warned about', () => {
  const md5 = `${'1'.repeat(32)}  x.img`;
  assert.equal(find(`${md5}\n${a256}  x.img\n${a256}  x.img`, 'x.img').hex, a256);
  const weak = chooseChecksum(parseChecksumList(md5), 'x.img');
  assert.match(weak.warnings.join(), /no digest stronger than MD5/);
});

function clearSigned(...lines: string[]): string {
  return [
    '-----BEGIN PGP SIGNED MESSAGE-----',
    'Hash: SHA512',
    '',
    ...lines,
    '-----BEGIN PGP SIGNATURE-----',
    '',
    'iQEzBAEBCgAdFiEE',
    '=abcd',
    '-----END PGP SIGNATURE-----',
    '',
  ].join('\n');
}

test('of a clear-signed message only the signed part counts', () => {
  const message = clearSigned('- # x.img: 1 byte', `SHA256 (x.img) = ${a256}`);
  const list = parseChecksumList(message);
  assert.equal(list.clearSigned, true);
  assert.deepEqual(list.warnings, []);
  const added = parseChecksumList(`${b256}  y.img\n${message}${b256}  x.img\n`);
  assert.deepEqual(
    added.entries.map(({ digest }) => digest.hex),
    [a256],
  );
  assert.match(added.warnings.join(), /outside of the signed message/);
});

test('a clear-signed message that is cut, doubled or made to look longer is refused', () => {
  const message = clearSigned(`${a256}  x.img`);
  const entry = `${b256}  x.img`;
  for (const text of [
    message.replace('-----END PGP SIGNATURE-----', ''),
    message.replace('-----BEGIN PGP SIGNATURE-----', ''),
    message + message,
    message.replace('Hash: SHA512', entry),
    message.replace(`${a256}`, `-----BEGIN PGP SIGNED MESSAGE-----\n${a256}`),
  ]) {
    assert.throws(() => parseChecksumList(text), refusal('CHECKSUM_LIST_MALFORMED'), text);
  }
});

test('what is no list of checksums is refused with what it is', () => {
  const cases: [string | Uint8Array, RegExp][] = [
    ['', /no line/],
    ['hello\nworld', /no line/],
    [`${'a'.repeat(63)}  x.img`, /no line/],
    ['<!DOCTYPE html><html></html>', /web page/],
    [Buffer.from([0xff, 0xfe, 0x61]), /UTF-8/],
    ['x'.repeat(1024 * 1024 + 1), /1048576 bytes/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseChecksumList(text), refusal('CHECKSUM_LIST_MALFORMED', message));
  }
});

test('the largest lists, and lines made to be slow, are read within a moment', () => {
  const most = 1024 * 1024;
  const lines = [
    `${a256}  image.img\n`,
    '\\',
    ' ',
    `SHA256 (${')= '.repeat(1300)}\n`,
    `${a256}${' '.repeat(4000)}\n`,
    '\n',
  ];
  for (const line of lines) {
    const started = performance.now();
    try {
      parseChecksumList(line.repeat(Math.floor(most / line.length)));
    } catch (error) {
      assert.ok(error instanceof MillraceError);
    }
    assert.ok(performance.now() - started < 5000, `${line.slice(0, 20)}: ${performance.now() - started} ms`);
  }
});

test('what coreutils would write for any name is found under that name', () => {
  const name = fc
    .string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
    .filter((text) => text.trim() !== '' && text !== '-');
  fc.assert(
    fc.property(name, fc.constantFrom(' ', '*'), (wanted, mode) => {
      const escaped = wanted.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
      const line = `${escaped === wanted ? '' : '\\'}${a256} ${mode}${escaped}`;
      assert.equal(find(`${line}\n${b256}  another.img\n`, wanted).hex, a256);
    }),
  );
});

test('arbitrary text never makes the reader throw anything but an error of this package', () => {
  const part = fc.constantFrom(
    a256,
    '  x.img',
    ' *x.img',
    '\n',
    '\\',
    'SHA256 (',
    ') = ',
    '-----BEGIN PGP SIGNED MESSAGE-----\n',
    '-----BEGIN PGP SIGNATURE-----\n',
    '-----END PGP SIGNATURE-----\n',
    'Hash: SHA1\n',
  );
  let found = 0;
  const text = fc.oneof(
    fc.string(),
    fc.uint8Array(),
    fc.array(part, { maxLength: 12 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (input) => {
      try {
        find(input, 'x.img');
        found += 1;
      } catch (error) {
        assert.ok(error instanceof MillraceError, String(error));
        assert.ok(error.code in metalinkErrors, error.code);
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(found > 20, 'the generator must also reach lists that are read');
});
