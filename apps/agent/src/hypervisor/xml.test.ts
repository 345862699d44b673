import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { elementsOf, escapeXml, joinXml, unescapeXml, xml } from './xml.ts';

test('escaped text has no markup and reads back as it was', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('&', '<', '>', '"', "'", 'a', ';', '#', 'amp', 'lt', ' ') }),
      (text) => {
        const escaped = escapeXml(text);
        assert.doesNotMatch(escaped, /[<>"']/);
        assert.equal(unescapeXml(escaped), text);
      },
    ),
  );
});

test('characters that XML cannot carry are refused', () => {
  for (const text of ['a\u0000b', '\u001b[31m', '\ufffe', '\ud800'])
    assert.throws(() => escapeXml(text), /cannot carry/);
  assert.equal(escapeXml('tab\tline\n'), 'tab\tline\n');
});

test('values put into a document cannot add elements or attributes to it; pieces of XML can', () => {
  const hostile = "x' cache='unsafe'/><source file='/etc/shadow";
  const document = xml`<a>${joinXml([xml`<b file='${hostile}'/>`, xml`<b file='${7}'/>`])}</a>`.xml;
  assert.deepEqual(elementsOf(document, 'b'), [{ file: hostile }, { file: '7' }]);
  assert.deepEqual(elementsOf(document, 'source'), []);
});
