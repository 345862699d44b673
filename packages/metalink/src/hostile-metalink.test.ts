import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '@millrace/core';
import { type metalinkErrors, metalinkLimitBytes, parseMetalink, selectSources } from './index.ts';

/** Documents as large as they may be, and what they may cost. The bounds are loose: a leak or a quadratic step is far beyond. */

const mostMilliseconds = 10_000;
const mostGrowthBytes = 250e6;

const open = '<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="x">';
const filled = (part: string, before = '', after = '') =>
  Buffer.from(
    `${open}${before}${part.repeat(Math.floor((metalinkLimitBytes - 1000) / part.length))}${after}`,
  );

const cases: [what: string, make: () => Buffer, code: keyof typeof metalinkErrors | 'read'][] = [
  ['a million mirrors', () => Buffer.from(open + '<url>http://m/x</url>'.repeat(1e6)), 'METALINK_TOO_LARGE'],
  ['as many mirrors as the size allows', () => filled('<url>http://m/x</url>'), 'METALINK_TOO_LARGE'],
  [
    'as many elements as the count allows',
    () => Buffer.from(open + '<a/>'.repeat(240_000)),
    'METALINK_TOO_LARGE',
  ],
  ['elements in elements', () => filled('<a>'), 'METALINK_TOO_LARGE'],
  ['elements nested just beyond the bound', () => Buffer.from(open + '<a>'.repeat(17)), 'METALINK_TOO_LARGE'],
  ['nothing but comments', () => filled('<!---->'), 'METALINK_TOO_LARGE'],
  ['nothing but references', () => filled('&amp;', '<url>'), 'METALINK_TOO_LARGE'],
  ['nothing but carriage returns', () => filled('\r\n'), 'METALINK_TOO_LARGE'],
  ['an attribute of eight million characters', () => filled('x', '<url a="', '"/>'), 'METALINK_TOO_LARGE'],
  [
    'an element with 31 attributes, over and over',
    () => filled(`<a ${attributes(31)}/>`),
    'METALINK_MALFORMED',
  ],
  ['a name of eight million characters', () => filled('x', '<'), 'METALINK_MALFORMED'],
  ['a comment that never ends', () => filled('- ', '<!--'), 'METALINK_MALFORMED'],
  [
    'a piece list that fits',
    () =>
      filled(
        `<hash>${'a'.repeat(64)}</hash>`,
        '<pieces length="9" type="sha-256">',
        '</pieces></file></metalink>',
      ),
    'read',
  ],
];

function attributes(count: number): string {
  return Array.from({ length: count }, (_, index) => `attribute${index}="value"`).join(' ');
}

for (const [what, make, code] of cases) {
  test(`${what}: within bounded memory and time`, () => {
    const bytes = make();
    const peak = () => process.resourceUsage().maxRSS * 1024;
    const before = peak();
    const started = performance.now();
    let outcome = 'read';
    try {
      parseMetalink(bytes);
    } catch (error) {
      assert.ok(error instanceof MillraceError, String(error));
      outcome = error.code;
    }
    assert.equal(outcome, code);
    assert.ok(performance.now() - started < mostMilliseconds, `${performance.now() - started} ms`);
    assert.ok(peak() - before < mostGrowthBytes, `${(peak() - before) / 1e6} MB`);
  });
}

test('the digests of an image of 100 GB in pieces of 4 MiB are read and fit', () => {
  const lengthBytes = 4 * 1024 * 1024;
  const size = 100e9;
  const count = Math.ceil(size / lengthBytes);
  const hashes = Array.from(
    { length: count },
    (_, index) => `\n      <hash>${index.toString(16).padStart(64, '0')}</hash>`,
  );
  const text = `${open}<size>${size}</size><pieces length="${lengthBytes}" type="sha-256">${hashes.join('')}</pieces>
    <url>http://m/x</url></file></metalink>`;
  const { pieces } = selectSources(parseMetalink(text), { location: [], sourceOrder: 'priority' });
  assert.equal(pieces?.hexDigests.length, count);
  assert.equal(pieces?.hexDigests.at(-1), (count - 1).toString(16).padStart(64, '0'));
});
