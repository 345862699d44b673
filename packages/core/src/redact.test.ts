import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redactUrl } from './redact.ts';

const cases: [what: string, given: string, shown: string][] = [
  ['a plain URL stays', 'https://host:8443/a/b.qcow2', 'https://host:8443/a/b.qcow2'],
  ['user and password go', 'https://user:secret@host/a', 'https://***@host/a'],
  ['a user alone goes', 'https://token@host/a', 'https://***@host/a'],
  ['the query goes, its existence stays', 'https://host/a?X-Signature=secret', 'https://host/a?…'],
  ['the fragment goes', 'https://host/a#secret', 'https://host/a'],
  ['no URL: the query goes', 'host/a?key=secret', 'host/a?…'],
  ['no URL: user and password go', 'http://user:secret@host:port/a', 'http://***@host:port/a'],
];

for (const [what, given, shown] of cases) {
  test(`${what}`, () => {
    assert.equal(redactUrl(given), shown);
    assert.doesNotMatch(redactUrl(given), /secret/);
  });
}
