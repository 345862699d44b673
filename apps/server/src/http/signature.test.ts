import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '@millrace/api';
import { checkExpiry, isSignedWith, sign, signedStrings } from './signature.ts';

const vector = [
  ['apiKey', 'AK'],
  ['command', 'registerTemplate'],
  ['expires', '2030-01-01T00:00:00+0000'],
  ['name', 'a b*c+d/e'],
  ['response', 'json'],
  ['signatureVersion', '3'],
  ['supportedservices', ''],
] as const;

test('the string to sign is sorted, encoded and lower-cased as the reference vector has it', () => {
  const [first] = signedStrings(vector);
  assert.equal(
    first,
    'apikey=ak&command=registertemplate&expires=2030-01-01t00%3a00%3a00%2b0000&name=a%20b*c%2bd%2fe&response=json&signatureversion=3&supportedservices=',
  );
  assert.equal(sign(first, 'SK'), '55WWXixYFPxJqnqPoCI7pZ/DB3c=');
});

test('the signature itself is not signed and its place does not matter', () => {
  const params = [['Signature', '55WWXixYFPxJqnqPoCI7pZ/DB3c='], ...[...vector].reverse()] as const;
  assert.equal(isSignedWith(params, 'SK'), true);
  assert.equal(isSignedWith(params, 'other'), false);
});

/** How each client in use signs, written out by hand from its own code. */
const clients: Readonly<Record<string, (params: readonly (readonly [string, string])[]) => string>> = {
  'CloudMonkey, the Go SDK and cs (names sorted as they are, * and ~ literal)': (params) =>
    joined(
      sortedBy(params, (name) => name),
      (value) => percent(value),
    ),
  'Marvin (names sorted in lower case)': (params) =>
    joined(
      sortedBy(params, (name) => name.toLowerCase()),
      (value) => percent(value),
    ),
  'older Marvin (* escaped)': (params) =>
    joined(
      sortedBy(params, (name) => name.toLowerCase()),
      (value) => percent(value).replaceAll('*', '%2A'),
    ),
  'the Java reference (~ escaped)': (params) =>
    joined(
      sortedBy(params, (name) => name),
      (value) => percent(value).replaceAll('~', '%7E'),
    ),
};

function sortedBy(params: readonly (readonly [string, string])[], key: (name: string) => string) {
  return [...params].sort(([a], [b]) => (key(a) < key(b) ? -1 : 1));
}

function joined(params: readonly (readonly [string, string])[], encode: (value: string) => string): string {
  return params
    .map(([name, value]) => `${name}=${encode(value)}`)
    .join('&')
    .toLowerCase();
}

function percent(value: string): string {
  return [...Buffer.from(value, 'utf8')]
    .map((byte) => {
      const letter = String.fromCharCode(byte);
      return /[A-Za-z0-9._~*-]/.test(letter)
        ? letter
        : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`;
    })
    .join('');
}

for (const [client, stringOf] of Object.entries(clients)) {
  test(`a call of ${client} is accepted, and with one letter changed it is not`, () => {
    const params = [
      ['command', 'listVirtualMachines'],
      ['listAll', 'true'],
      ['apiKey', 'key'],
      ['details[0].rootDiskController', "a~b*c'(d)!é"],
      ['Zoneid', '1'],
    ] as const;
    const signature = sign(stringOf(params), 'secret');
    assert.equal(isSignedWith([...params, ['signature', signature]], 'secret'), true);
    const changed = params.map(([name, value]) => [name, value === '1' ? '2' : value] as const);
    assert.equal(isSignedWith([...changed, ['signature', signature]], 'secret'), false);
  });
}

test('a signature whose + arrived as a space is accepted, an empty or absent one is not', () => {
  for (let i = 0; ; i++) {
    const params = [['command', `list${i}`]] as const;
    const signature = sign([...signedStrings(params)][0]!, 'secret');
    if (!signature.includes('+')) continue;
    assert.equal(isSignedWith([...params, ['signature', signature.replaceAll('+', ' ')]], 'secret'), true);
    break;
  }
  assert.equal(isSignedWith([['command', 'x']], 'secret'), false);
  assert.equal(
    isSignedWith(
      [
        ['command', 'x'],
        ['signature', ''],
      ],
      'secret',
    ),
    false,
  );
});

const now = new Date('2030-01-01T12:00:00Z');

for (const expires of [
  '2030-01-01T12:00:01+0000',
  '2030-01-01T12:00:01Z',
  '2030-01-01T14:00:01+02:00',
  '2030-01-01T12:00:01 0000',
]) {
  test(`signature version 3 may expire at ${expires}`, () => {
    checkExpiry(
      [
        ['signatureVersion', '3'],
        ['expires', expires],
      ],
      now,
    );
  });
}

for (const expires of ['2030-01-01T11:59:59+0000', 'tomorrow', '2030-13-01T00:00:00Z', '']) {
  test(`signature version 3 is refused when it expires "${expires}"`, () => {
    assert.throws(
      () =>
        checkExpiry(
          [
            ['signatureversion', '3'],
            ['expires', expires],
          ],
          now,
        ),
      (error) => error instanceof ApiError && error.errorcode === 401,
    );
  });
}

test('without a version nothing expires', () => {
  checkExpiry([['expires', '2000-01-01T00:00:00Z']], now);
});
