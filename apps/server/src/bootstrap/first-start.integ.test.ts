import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram } from '@millrace/core';
import { withTestDatabase } from '../../../../test/postgres.ts';
import { verifyPassword } from '../domain/password.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { testNetwork } from '../http/testing/test-api.ts';
import { readSetting } from '../store/settings.ts';
import { bootstrap } from './first-start.ts';

const input = {
  network: testNetwork,
  instanceName: '2a10beef',
  admin: { password: 'correct horse battery', apiKey: 'k'.repeat(48), secretKey: 's'.repeat(48) },
  allowedCidrs: ['127.0.0.0/8'],
};

test('the first start makes a cloud, the second changes nothing', async (t) => {
  const { database } = await withTestDatabase(t);
  const first = await bootstrap(database, input);
  assert.equal(first.created, true);
  const made = await snapshotOf(database);
  const second = await bootstrap(database, { ...input, admin: { password: 'another password' } });
  assert.deepEqual(second, { ...first, created: false });
  assert.deepEqual(await snapshotOf(database), made);
  const user = await database.selectFrom('user').selectAll().executeTakeFirstOrThrow();
  assert.equal(user.username, 'admin');
  assert.match(user.password, /^\$argon2id\$/);
  assert.equal(await verifyPassword('correct horse battery', user.password), true);
  assert.equal(await readSetting(database, 'instance.name'), '2a10beef');
  assert.equal(await readSetting(database, 'direct.download.egress.allowed.cidrs'), '127.0.0.0/8');
});

test('two first starts at once make one cloud', async (t) => {
  const { database } = await withTestDatabase(t);
  const results = await Promise.all([bootstrap(database, input), bootstrap(database, input)]);
  assert.deepEqual(results.map((result) => result.created).sort(), [false, true]);
  assert.equal((await database.selectFrom('data_center').selectAll().execute()).length, 1);
});

test('OS types that a newer release knows are added to a cloud that exists', async (t) => {
  const { database } = await withTestDatabase(t);
  await bootstrap(database, input);
  const before = await database.selectFrom('guest_os').select('display_name').execute();
  await database.deleteFrom('guest_os').where('display_name', '=', 'Ubuntu 24.04 LTS').execute();
  await bootstrap(database, input);
  const after = await database.selectFrom('guest_os').select('display_name').execute();
  assert.equal(after.length, before.length);
});

const program = fileURLToPath(new URL('./main.ts', import.meta.url));

function run(url: string, stdin: string) {
  return runProgram(process.execPath, [program], {
    signal: AbortSignal.timeout(60_000),
    env: { DATABASE_URL: url },
    input: stdin,
  });
}

test('the program reads its input from stdin, prints ids, and can be run again', async (t) => {
  const { url } = await withTestDatabase(t);
  const first = JSON.parse((await run(url, JSON.stringify(input))).stdout);
  assert.equal(first.created, true);
  const second = JSON.parse((await run(url, JSON.stringify(input))).stdout);
  assert.equal(second.created, false);
  assert.equal(second.zoneId, first.zoneId);
});

test('the program names what is wrong with its input and never repeats a password', async (t) => {
  const { url } = await withTestDatabase(t);
  const bad = { ...input, network: { ...testNetwork, gateway: 'here' } };
  await assert.rejects(run(url, JSON.stringify(bad)), (error: Error) => {
    assert.match(error.message, /network\.gateway/);
    assert.equal(error.message.includes('correct horse'), false);
    return true;
  });
  await assert.rejects(run(url, '{"admin":{"password":"correct horse'), /stdin holds no JSON/);
});
