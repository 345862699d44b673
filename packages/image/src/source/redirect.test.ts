import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '@millrace/core';
import { firstHop, nextHop } from './redirect.ts';

const secrets = { authorization: 'Bearer secret', 'x-token': 'secret' };

test('user information becomes an Authorization header and leaves the URL', () => {
  const hop = firstHop('https://me:p%40ss%zz@example.org/x?a=1', {});
  assert.equal(hop.url.href, 'https://example.org/x?a=1');
  assert.equal(hop.headers['authorization'], `Basic ${Buffer.from('me:p%40ss%zz').toString('base64')}`);
  const decoded = firstHop('https://me:p%40ss@example.org/', {});
  assert.equal(decoded.headers['authorization'], `Basic ${Buffer.from('me:p@ss').toString('base64')}`);
});

test('a given Authorization header wins over user information', () => {
  assert.deepEqual(firstHop('https://a:b@example.org/', { Authorization: 'Bearer x' }).headers, {
    authorization: 'Bearer x',
  });
});

test('headers are kept within an origin and dropped on the way to any other', () => {
  const from = firstHop('https://example.org/a/b', secrets);
  assert.deepEqual(nextHop(from, 'c').headers, secrets);
  assert.equal(nextHop(from, 'c').url.href, 'https://example.org/a/c');
  assert.deepEqual(nextHop(from, 'https://example.org:443/x').headers, secrets);
  for (const location of [
    'https://other.org/',
    'http://example.org/',
    'https://example.org:8443/',
    '//sub.example.org/',
  ]) {
    assert.deepEqual(nextHop(from, location).headers, {}, location);
  }
});

test('headers that were dropped do not come back when the redirects do', () => {
  const away = nextHop(firstHop('https://example.org/', secrets), 'https://other.org/');
  assert.deepEqual(nextHop(away, 'https://example.org/').headers, {});
});

test('redirects to other schemes, or to nowhere, are refused', () => {
  const from = firstHop('https://example.org/', {});
  for (const [location, code] of [
    ['file:///etc/passwd', 'SCHEME_REFUSED'],
    ['ftp://example.org/', 'SCHEME_REFUSED'],
    ['data:text/plain,x', 'SCHEME_REFUSED'],
    ['http://[bad', 'HTTP_UNEXPECTED'],
    [undefined, 'HTTP_UNEXPECTED'],
  ] as const) {
    assert.throws(
      () => nextHop(from, location),
      (error) => error instanceof MillraceError && error.code === code,
    );
  }
});
