import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeGuestPassword } from './guest-password.ts';

test('passwords are new each time and have what Windows demands', () => {
  const made = Array.from({ length: 200 }, makeGuestPassword);
  assert.equal(new Set(made).size, made.length);
  for (const password of made) {
    assert.match(password, /^[A-Za-z2-9]{14}$/);
    for (const kind of [/[A-Z]/, /[a-z]/, /[2-9]/]) assert.match(password, kind);
  }
});
