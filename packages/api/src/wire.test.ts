import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from './errors.ts';
import { matchesNothing, type ParamSpecs, param, refused } from './param.ts';
import { decodeParams, joinParams, type WireParams, wireValue } from './wire.ts';

const id = '0b1c2d3e-0000-4000-8000-000000000001';

function decode(specs: ParamSpecs, text: string, isAdmin = true) {
  return decodeParams('test', specs, joinParams(text), isAdmin);
}

function refusal(work: () => unknown): string {
  let message = '';
  assert.throws(work, (error) => {
    assert.ok(error instanceof ApiError);
    message = `${error.errorcode} ${error.message}`;
    return true;
  });
  return message;
}

test('query and form are joined, with + and percent escapes decoded', () => {
  assert.deepEqual(joinParams('a=1+2&b=%2B', 'c=%C3%A9'), [
    ['a', '1 2'],
    ['b', '+'],
    ['c', 'é'],
  ]);
});

test('names are case-insensitive but the keys of maps are not', () => {
  assert.match(
    refusal(() => joinParams('Name=a', 'nAME=b')),
    /^430 .*more than once/,
  );
  assert.match(
    refusal(() => joinParams('Details[0].a=1&details[0].a=1')),
    /^430/,
  );
  assert.equal(joinParams('details[0].a=1&details[0].A=2').length, 2);
  assert.equal(wireValue([['ListAll', 'true']], 'listall'), 'true');
});

test('thousands of parameters are refused', () => {
  assert.match(
    refusal(() => joinParams(Array.from({ length: 2001 }, (_, i) => `p${i}=`).join('&'))),
    /^430/,
  );
});

test('values become what their type says', () => {
  const specs = {
    s: param.string(''),
    u: param.uuid(''),
    all: param.uuidOrAll(''),
    i: param.integer(''),
    l: param.long(''),
    b: param.boolean(''),
    list: param.list(''),
    ids: param.uuids(''),
    d: param.date(''),
  };
  const { params } = decode(
    specs,
    `s=x&u=${id.toUpperCase()}&all=-1&i=-5&l=9007199254740991&b=TRUE&list=a,,b%20,c&ids=${id}&d=2030-01-31%2012:00:00`,
  );
  assert.deepEqual(params, {
    s: 'x',
    u: id,
    all: '-1',
    i: -5,
    l: 9007199254740991,
    b: true,
    list: ['a', 'b', 'c'],
    ids: [id],
    d: new Date('2030-01-31T12:00:00Z'),
  });
});

test('dates take a zone in each of the spellings in use', () => {
  const at = (text: string) =>
    decode({ d: param.date('') }, `d=${encodeURIComponent(text)}`).params['d'] as Date;
  const expected = new Date('2030-01-31T12:00:00Z').getTime();
  for (const text of ['2030-01-31T12:00:00Z', '2030-01-31T14:00:00+0200', '2030-01-31 14:00:00+02:00']) {
    assert.equal(at(text).getTime(), expected, text);
  }
  assert.match(
    refusal(() => at('2030-13-01')),
    /^431 .*\bd\b.*a date that exists/,
  );
});

test('an empty value is an absent one', () => {
  assert.deepEqual(decode({ a: param.integer('') }, 'a=').params, {});
  assert.match(
    refusal(() => decode({ a: param.string('', { required: true }) }, 'a=')),
    /missing parameter a$/,
  );
});

test('numbers beyond what JavaScript can hold are refused, not rounded', () => {
  assert.match(
    refusal(() => decode({ l: param.long('') }, 'l=9007199254740993')),
    /^431 .*\bl\b/,
  );
  assert.match(
    refusal(() => decode({ i: param.integer('') }, 'i=2147483648')),
    /^431 .*\bi\b/,
  );
});

test('maps come in two styles, with indices that start anywhere, and may be mixed', () => {
  const specs = { details: param.map('') };
  const read = (text: string) => ({ ...(decode(specs, text).params['details'] as object) });
  assert.deepEqual(read('details[0].a=1&details[0].B=2&details[7].c=3'), { a: '1', B: '2', c: '3' });
  assert.deepEqual(read('details[1].key=a&details[1].value=1&Details[2].value=2&details[2].key=b'), {
    a: '1',
    b: '2',
  });
  assert.deepEqual(read('details[0].key=a&details[0].value='), { a: '' });
  assert.deepEqual(read('details[0].HTTP_HEADER:X-A.b=1'), { 'HTTP_HEADER:X-A.b': '1' });
});

test('the groups of a map stay apart where they belong together', () => {
  const { params } = decode({ n: param.groups('') }, 'n[1].ip=b&n[0].ip=a&n[1].networkid=2');
  assert.deepEqual(
    (params['n'] as object[]).map((group) => ({ ...group })),
    [{ ip: 'a' }, { ip: 'b', networkid: '2' }],
  );
});

test('a map cannot reach into what all objects inherit', () => {
  const { params } = decode({ details: param.map('') }, 'details[0].__proto__=x&details[0].constructor=y');
  assert.equal(Object.getPrototypeOf({}), Object.prototype);
  assert.equal((params['details'] as Record<string, unknown>)['constructor'], 'y');
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
});

test('what is not supported is refused with its reason, unless the value asks for what happens anyway', () => {
  const specs = { on: param.boolean('', refused('it is always off', 'false')) };
  assert.match(
    refusal(() => decode(specs, 'on=true')),
    /^431 Invalid parameter on: not supported: it is always off/,
  );
  assert.deepEqual(decode(specs, 'on=FALSE').params, { on: false });
  assert.match(
    refusal(() => decode(specs, 'on=maybe')),
    /must be true or false/,
  );
});

test('a filter on what does not exist is noticed', () => {
  const specs = { vpcid: param.uuidOrAll('', matchesNothing('there are none', '-1')) };
  assert.equal(decode(specs, `vpcid=${id}`).matchesNothing, true);
  assert.equal(decode(specs, 'vpcid=-1').matchesNothing, false);
  assert.equal(decode(specs, '').matchesNothing, false);
});

test('what is for administrators is refused from others, by name', () => {
  const specs = { hostid: param.uuid('', { adminOnly: true }) };
  assert.match(
    refusal(() => decode(specs, `hostid=${id}`, false)),
    /hostid: only a root admin/,
  );
  assert.deepEqual(decode(specs, `hostid=${id}`, true).params, { hostid: id });
});

test('NUL is refused wherever it hides', () => {
  const specs = { s: param.string(''), m: param.map('') };
  const bad: WireParams[] = [[['s', 'a\0']], [['m[0].a', '\0']], [['m[0].a\0', 'b']]];
  for (const wire of bad)
    assert.match(
      refusal(() => decodeParams('t', specs, wire, true)),
      /^431 .*NUL/,
    );
});
