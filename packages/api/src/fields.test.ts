import assert from 'node:assert/strict';
import { test } from 'node:test';
import { field, fieldProblems, formatDate } from './fields.ts';

const nested = { id: field.string('') };
const fields = {
  s: field.string(''),
  i: field.integer(''),
  b: field.boolean(''),
  d: field.date(''),
  m: field.map(''),
  l: field.list(''),
  f: field.double(''),
  w: field.word('state', ''),
  o: field.object(''),
  rows: field.set('', nested),
};

test('an entity of the right types has no problems, and absent fields are none', () => {
  const entity = {
    s: 'x',
    i: 1,
    b: false,
    d: formatDate(new Date(0)),
    m: { a: 'b' },
    l: [],
    f: 0.5,
    w: 'Up',
    o: {},
    rows: [{ id: 'x' }, {}],
    unset: undefined,
  };
  assert.deepEqual(fieldProblems(fields, entity), []);
});

for (const [name, value] of [
  ['s', 1],
  ['s', null],
  ['i', '1'],
  ['i', 1.5],
  ['i', 2 ** 60],
  ['b', 'true'],
  ['d', '2021-10-04'],
  ['m', { a: 1 }],
  ['m', []],
  ['l', {}],
  ['f', Number.NaN],
  ['w', 1],
  ['o', []],
  ['rows', ['x']],
  ['rows', [{ id: 1 }]],
  ['stranger', 'x'],
] as const) {
  test(`${name}: ${JSON.stringify(value)} is a problem`, () => {
    assert.equal(fieldProblems(fields, { [name]: value }).length, 1);
  });
}

test('dates are written with a numeric zone and without fractions', () => {
  assert.equal(formatDate(new Date('2021-10-04T09:24:38.123Z')), '2021-10-04T09:24:38+0000');
});
