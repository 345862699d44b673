import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashPassword } from '../domain/password.ts';
import { withinCall } from '../store/call-origin.ts';
import { recordEvent } from '../store/events.ts';
import { addTenant, adminPassword, encodeQuery, rows, signedQuery, withTestApi } from './testing/test-api.ts';

const form = { 'content-type': 'application/x-www-form-urlencoded' };

test('an event tells root admins where its call came from, and nobody else', async (t) => {
  const api = await withTestApi(t, { trustedProxies: '127.0.0.1' });
  const ada = await addTenant(api.database, 'ada');
  const chief = await addTenant(api.database, 'chief', { type: 2 });
  const from = (address: string, query: string) =>
    api.send('', { method: 'POST', headers: { ...form, 'x-forwarded-for': address }, body: query });
  const login = { command: 'login', username: 'admin', password: adminPassword, response: 'json' };
  assert.equal((await from('203.0.113.7', encodeQuery(login))).status, 200);
  const made = await Promise.all(
    ['198.51.100.1', '198.51.100.2', '198.51.100.3'].map((address) =>
      from(address, signedQuery({ command: 'createSSHKeyPair', name: `from-${address}` }, ada)),
    ),
  );
  assert.deepEqual(
    made.map(({ status }) => status),
    [200, 200, 200],
  );
  const seen = async (keys = api.admin) => rows(await api.call('listEvents', { listall: 'true' }, keys));
  const events = await seen();
  assert.equal(events.find(({ type }) => type === 'USER.LOGIN')!['clientaddress'], '203.0.113.7');
  const keyPairs = events.filter(({ type }) => type === 'CREATE.SSH.KEYPAIR');
  assert.equal(keyPairs.length, 3);
  for (const { description, clientaddress } of keyPairs)
    assert.match(String(description), new RegExp(`from-${String(clientaddress)}\\b`), 'each has its own');
  for (const keys of [ada, chief]) {
    const told = await seen(keys);
    assert.ok(told.length > 0);
    assert.ok(told.every((event) => !('clientaddress' in event)));
  }
});

test('an event of somebody else, or of nobody, bears no address of a call', async (t) => {
  const api = await withTestApi(t);
  const { id: userId } = await api.database
    .selectFrom('user')
    .select('id')
    .where('username', '=', 'admin')
    .executeTakeFirstOrThrow();
  await withinCall({ userId, clientAddress: '203.0.113.7' }, async () => {
    await recordEvent(api.database, { type: 'HOST.CONNECT', description: 'a host came' });
    await recordEvent(api.database, { type: 'HOST.EDIT', description: 'a host was changed', userId });
  });
  await recordEvent(api.database, { type: 'VM.START', description: 'a job did it', userId });
  const addresses = new Map(
    rows(await api.call('listEvents', { listall: 'true' })).map((row) => [row['type'], row['clientaddress']]),
  );
  assert.equal(addresses.get('HOST.CONNECT'), undefined);
  assert.equal(addresses.get('HOST.EDIT'), '203.0.113.7');
  assert.equal(addresses.get('VM.START'), undefined);
});

test('guessing one’s own password is slowed down as logins are, and both add up', async (t) => {
  const api = await withTestApi(t);
  const ada = await addTenant(api.database, 'ada');
  await api.database
    .updateTable('user')
    .set({ password: await hashPassword('correct horse') })
    .where('username', '=', 'ada')
    .execute();
  const { uuid: id } = await api.database
    .selectFrom('user')
    .select('uuid')
    .where('username', '=', 'ada')
    .executeTakeFirstOrThrow();
  const change = (currentpassword: string) =>
    api.call('updateUser', { id, password: 'another horse', currentpassword }, ada);
  const statuses: number[] = [];
  for (let i = 0; i < 5; i++) statuses.push((await change(`guess ${i}`)).status);
  assert.deepEqual(statuses, [431, 431, 431, 431, 431]);
  const slowed = await change('correct horse');
  assert.equal(slowed.status, 429, 'not even the right one is looked at');
  assert.match(slowed.text, /too many wrong passwords; try again in \d+ seconds/);
  const login = await api.send('', {
    method: 'POST',
    headers: form,
    body: encodeQuery({ command: 'login', username: 'ada', password: 'correct horse', response: 'json' }),
  });
  assert.equal(login.status, 429);
  assert.equal((await api.call('updateUser', { id, email: 'a@example.org' }, ada)).status, 200);
});
