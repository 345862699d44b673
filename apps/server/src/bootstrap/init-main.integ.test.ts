import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram } from '@millrace/core';
import { withTestDatabase } from '../../../../test/postgres.ts';
import { verifyPassword } from '../domain/password.ts';
import { readSetting } from '../store/settings.ts';

const launcher = fileURLToPath(new URL('../../../../bin/millrace', import.meta.url));
const { signal } = new AbortController();

const init = (url: string, argv: readonly string[], input = '') =>
  runProgram(launcher, ['server', 'init', ...argv], { signal, input, env: { DATABASE_URL: url } });

test('a cloud is made with the password from standard input, which is not printed; again changes nothing', async (t) => {
  const { database, url } = await withTestDatabase(t);
  const options = ['--zone', 'Basel', '--password', '-', '--allowed-cidrs', '192.168.0.0/16'];
  const first = await init(url, options, 'correct horse battery\n');
  assert.match(first.stdout, /A new cloud with zone Basel, guests in 10\.201\.1\.0\/24/);
  assert.doesNotMatch(first.stdout, /correct horse/);
  const user = await database.selectFrom('user').selectAll().executeTakeFirstOrThrow();
  assert.equal(await verifyPassword('correct horse battery', user.password), true);
  assert.match(first.stdout, new RegExp(`apikey +${user.api_key}\n`));
  assert.equal(await readSetting(database, 'direct.download.egress.allowed.cidrs'), '192.168.0.0/16');

  const second = await init(url, [], '');
  assert.match(second.stdout, /There is a cloud already: nothing else was changed/);
  assert.doesNotMatch(second.stdout, /password|apikey/);
});

test('a password that is made up is printed and is the one that works', async (t) => {
  const { database, url } = await withTestDatabase(t);
  const { stdout } = await init(url, []);
  const password = /password +(\S+)/.exec(stdout)?.[1];
  const user = await database.selectFrom('user').selectAll().executeTakeFirstOrThrow();
  assert.equal(await verifyPassword(password ?? '', user.password), true);
});

test('a short password is refused before the database is touched', async (t) => {
  const { database, url } = await withTestDatabase(t);
  await assert.rejects(
    init(url, ['--password', '-'], 'short\n'),
    /the password must have 8 characters or more/,
  );
  assert.deepEqual(await database.selectFrom('user').select('id').execute(), []);
});
