import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashPassword, isPasswordHash, verifyPassword } from './password.ts';

test('a password is verified by its hash, another one is not, and no two hashes are alike', async () => {
  const hash = await hashPassword('Grüße');
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  assert.equal(isPasswordHash(hash), true);
  assert.equal(await verifyPassword('Grüße', hash), true);
  assert.equal(await verifyPassword('grüße', hash), false);
  assert.notEqual(await hashPassword('Grüße'), hash);
});

test('without a hash, or with something else in its place, nothing is right', async () => {
  assert.equal(await verifyPassword('', undefined), false);
  assert.equal(await verifyPassword('plain', 'plain'), false);
  assert.equal(await verifyPassword('', '$argon2id$v=19$m=8,t=1,p=1$$'), false);
  assert.equal(isPasswordHash('plain'), false);
});

test('hashes of other costs are verified too', async () => {
  // printf password | argon2 somesalt -id -t 2 -m 8 -p 1 -l 32 -e
  const hash = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';
  assert.equal(await verifyPassword('password', hash), true);
  assert.equal(await verifyPassword('Password', hash), false);
});
