import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitLine, wordsOf } from './split-words.ts';

for (const [line, words] of [
  ['', []],
  ['  ', []],
  ['list zones', ['list', 'zones']],
  ['  list \t zones  ', ['list', 'zones']],
  ['name="Debian 12"', ['name=Debian 12']],
  ["details[0].k='a b'", ['details[0].k=a b']],
  ['url=https://m/a.qcow2?x=1&y=2', ['url=https://m/a.qcow2?x=1&y=2']],
  ['a="x \\"y\\" \\\\ \\n"', ['a=x "y" \\ \\n']],
  ['a=\'x \\ "y"\'', ['a=x \\ "y"']],
  ['a=x\\ y', ['a=x y']],
  ['""', ['']],
  ["a='' b", ['a=', 'b']],
  ['a=$HOME;rm `x` |y', ['a=$HOME;rm', '`x`', '|y']],
] as const) {
  test(`the line ${JSON.stringify(line)} has the words ${JSON.stringify(words)}`, () => {
    assert.deepEqual(wordsOf(line), { words: [...words] });
  });
}

for (const [line, words, openQuote] of [
  ['list ', ['list', ''], undefined],
  ['list zo', ['list', 'zo'], undefined],
  ['name="Deb 1', ['name=Deb 1'], '"'],
  ["name='Deb ", ['name=Deb '], "'"],
] as const) {
  test(`under the cursor of ${JSON.stringify(line)} stands ${JSON.stringify(words.at(-1))}`, () => {
    assert.deepEqual(splitLine(line), { words: [...words], ...(openQuote ? { openQuote } : {}) });
  });
}

test('a quote that is never closed is told', () => {
  assert.equal(wordsOf('list "zones').openQuote, '"');
});
