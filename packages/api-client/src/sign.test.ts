import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeValue, formOf, signedQuery, signRequest } from './sign.ts';

const vector = {
  apiKey: 'AK',
  command: 'registerTemplate',
  expires: '2030-01-01T00:00:00+0000',
  name: 'a b*c+d/e',
  response: 'json',
  signatureVersion: '3',
  supportedservices: '',
};

test('the signature of the known vector comes out', () => {
  assert.equal(signRequest(vector, 'SK'), '55WWXixYFPxJqnqPoCI7pZ/DB3c=');
});

test('a signature already among the parameters does not change the signature', () => {
  assert.equal(signRequest({ ...vector, signature: 'old' }, 'SK'), '55WWXixYFPxJqnqPoCI7pZ/DB3c=');
});

test('a signed query carries every parameter once, with the signature encoded', () => {
  const { apiKey, ...params } = vector;
  const query = new URLSearchParams(signedQuery(params, apiKey, 'SK'));
  assert.deepEqual(Object.fromEntries(query), { ...vector, signature: '55WWXixYFPxJqnqPoCI7pZ/DB3c=' });
  assert.equal([...query.keys()].length, 8);
});

test('a signed query expires ten minutes after it was made', () => {
  const query = new URLSearchParams(
    signedQuery({ command: 'listZones' }, 'AK', 'SK', Date.UTC(2030, 0, 1, 12, 0, 0)),
  );
  assert.equal(query.get('expires'), '2030-01-01T12:10:00+0000');
  assert.equal(query.get('signatureVersion'), '3');
});

test('parameters that are undefined are not sent, empty ones are', () => {
  assert.equal(formOf({ a: undefined, b: '', c: false, d: 0 }), 'b=&c=false&d=0');
});

for (const [value, encoded] of [
  ['a b', 'a%20b'],
  ['a+b', 'a%2Bb'],
  ['*-._', '*-._'],
  ["!'()~", '%21%27%28%29%7E'],
  ['ü', '%C3%BC'],
  ['{SHA-256}ab', '%7BSHA-256%7Dab'],
] as const) {
  test(`${value} is encoded as ${encoded}`, () => assert.equal(encodeValue(value), encoded));
}

test('any text survives being encoded and decoded as a form', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
      (text) => {
        assert.equal(new URLSearchParams(formOf({ value: text })).get('value'), text);
      },
    ),
  );
});
