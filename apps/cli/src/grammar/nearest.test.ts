import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editDistance, nearest } from './nearest.ts';

for (const [from, to, distance] of [
  ['', '', 0],
  ['abc', 'abc', 0],
  ['abc', '', 3],
  ['lsit', 'list', 1],
  ['kitten', 'sitting', 3],
  ['templateid', 'templatid', 1],
] as const) {
  test(`${JSON.stringify(from)} is ${distance} edits away from ${JSON.stringify(to)}`, () => {
    assert.equal(editDistance(from, to), distance);
    assert.equal(editDistance(to, from), distance);
  });
}

test('a distance is zero for equal words only and never more than the longer word', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      const distance = editDistance(a, b);
      assert.equal(distance === 0, a === b);
      assert(distance <= Math.max(a.length, b.length));
    }),
  );
});

test('the closest candidate is found without regard to case, nonsense finds none', () => {
  const words = ['zoneid', 'templateid', 'serviceofferingid'];
  assert.equal(nearest('TemplatId', words), 'templateid');
  assert.equal(nearest('zoneId', words), 'zoneid');
  assert.equal(nearest('qqqqqq', words), undefined);
});
