import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldProblems, specs } from '@millrace/api';
import { sql } from 'kysely';
import {
  type Answer,
  addTenant,
  adminPassword,
  encodeQuery,
  type TestApi,
  withTestApi,
} from './testing/test-api.ts';

const form = { 'content-type': 'application/x-www-form-urlencoded' };

function login(api: TestApi, params: Readonly<Record<string, string>>): Promise<Answer> {
  const body = encodeQuery({ command: 'login', response: 'json', ...params });
  return api.send('', { method: 'POST', headers: form, body });
}

/** The cookies of an answer by name, with their attributes. */
function cookiesOf(answer: Answer): Map<string, { value: string; attributes: string }> {
  return new Map(
    answer.headers.getSetCookie().map((line) => {
      const [, name, value, attributes] = /^([^=]+)=([^;]*)(.*)$/.exec(line)!;
      return [name!, { value: value!, attributes: attributes! }];
    }),
  );
}

async function openSession(api: TestApi) {
  const answer = await login(api, { username: 'admin', password: adminPassword, domain: '/' });
  assert.equal(answer.status, 200);
  const cookies = cookiesOf(answer);
  const id = cookies.get('JSESSIONID')!.value;
  const key = cookies.get('sessionkey')!.value;
  return { answer, cookies, id, key, cookie: `JSESSIONID=${id}; sessionkey=${key}` };
}

test('login answers as clients expect and sets both cookies, out of reach for scripts and other sites', async (t) => {
  const api = await withTestApi(t);
  const { answer, cookies, key } = await openSession(api);
  assert.equal(answer.key, 'loginresponse');
  assert.deepEqual(fieldProblems(specs.login.response, answer.content), []);
  assert.equal(answer.content['username'], 'admin');
  assert.equal(answer.content['type'], '1');
  assert.equal(answer.content['timeout'], 1800);
  assert.equal(answer.content['sessionkey'], key);
  for (const name of ['JSESSIONID', 'sessionkey']) {
    assert.match(cookies.get(name)!.attributes, /Path=\/client\/api/);
    assert.match(cookies.get(name)!.attributes, /HttpOnly/);
    assert.match(cookies.get(name)!.attributes, /SameSite=Strict/);
  }
});

test('cookies of a browser that came by https, as a trusted proxy says, are for https alone', async (t) => {
  const params = { username: 'admin', password: adminPassword, domain: '/' };
  const attributesBehind = async (trustedProxies?: string) => {
    const api = await withTestApi(t, trustedProxies === undefined ? {} : { trustedProxies });
    const body = encodeQuery({ command: 'login', response: 'json', ...params });
    const headers = { ...form, 'x-forwarded-proto': 'https' };
    const answer = await api.send('', { method: 'POST', headers, body });
    return cookiesOf(answer).get('JSESSIONID')!.attributes;
  };
  assert.match(await attributesBehind('127.0.0.1'), /; Secure/);
  assert.doesNotMatch(await attributesBehind(), /Secure/);
});

test('a session ends after its lifetime, however busy it is', async (t) => {
  const api = await withTestApi(t);
  const { key, cookie } = await openSession(api);
  const query = `command=listZones&response=json&sessionkey=${encodeURIComponent(key)}`;
  const statusNow = async () => (await api.send(query, { headers: { cookie } })).status;
  assert.equal(await statusNow(), 200);
  await sql`update user_session set created = now() - interval '6 days 23 hours', last_used = now()`.execute(
    api.database,
  );
  assert.equal(await statusNow(), 200);
  await sql`update user_session set created = now() - interval '7 days 1 second'`.execute(api.database);
  assert.equal(await statusNow(), 401);
});

test('a session calls with its cookie and its key, and with nothing less', async (t) => {
  const api = await withTestApi(t);
  const { id, key, cookie } = await openSession(api);
  const headers = { cookie: `JSESSIONID=${id}` };
  const statusOf = async (query: string, init: RequestInit) => (await api.send(query, init)).status;
  assert.equal(await statusOf(`command=listZones&sessionkey=${key}`, { headers }), 200);
  assert.equal(await statusOf('command=listZones', { headers: { cookie } }), 200);
  assert.equal(await statusOf('command=listZones', { headers }), 401);
  assert.equal(await statusOf(`command=listZones&sessionkey=${key}`, {}), 401);
  assert.equal(await statusOf('command=listZones&sessionkey=wrong', { headers: { cookie } }), 401);
});

test('a page of another site cannot use the cookies, even if the browser sends them', async (t) => {
  const api = await withTestApi(t);
  const { key, cookie } = await openSession(api);
  const headers = { cookie, 'sec-fetch-site': 'cross-site' };
  assert.equal((await api.send('command=listZones', { headers })).status, 401);
  assert.equal((await api.send(`command=listZones&sessionkey=${key}`, { headers })).status, 200);
});

test('logout ends the session and takes the cookies back', async (t) => {
  const api = await withTestApi(t);
  const { cookie } = await openSession(api);
  const answer = await api.send('command=logout&response=json', { headers: { cookie } });
  assert.equal(answer.text, '{"logoutresponse":{"description":"success"}}');
  assert.match(answer.headers.getSetCookie().join('\n'), /JSESSIONID=;.*Expires=Thu, 01 Jan 1970/);
  assert.equal((await api.send('command=listZones', { headers: { cookie } })).status, 401);
});

test('an idle session expires and its row is deleted', async (t) => {
  const api = await withTestApi(t);
  const { cookie } = await openSession(api);
  const age = sql<Date>`now() - interval '31 minutes'`;
  await api.database.updateTable('user_session').set({ last_used: age }).execute();
  assert.equal((await api.send('command=listZones', { headers: { cookie } })).status, 401);
  await openSession(api);
  const rows = await api.database.selectFrom('user_session').selectAll().execute();
  assert.equal(rows.length, 1);
  assert.ok(rows[0]!.last_used.getTime() > Date.now() - 60_000);
});

test('a used session stays open', async (t) => {
  const api = await withTestApi(t);
  const { cookie } = await openSession(api);
  const age = sql<Date>`now() - interval '20 minutes'`;
  await api.database.updateTable('user_session').set({ last_used: age }).execute();
  assert.equal((await api.send('command=listZones', { headers: { cookie } })).status, 200);
  const row = await api.database.selectFrom('user_session').selectAll().executeTakeFirstOrThrow();
  assert.ok(row.last_used.getTime() > Date.now() - 60_000);
});

test('the database knows neither the id nor the key of a session', async (t) => {
  const api = await withTestApi(t);
  const { id, key } = await openSession(api);
  const row = JSON.stringify(await api.database.selectFrom('user_session').selectAll().execute());
  assert.equal(row.includes(id) || row.includes(key), false);
});

test('an unknown user, a wrong password and a disabled user are refused in the same words', async (t) => {
  const api = await withTestApi(t);
  const wrong = await login(api, { username: 'admin', password: 'wrong' });
  assert.equal(wrong.status, 531);
  assert.equal(wrong.headers.getSetCookie().length, 0);
  const unknown = await login(api, { username: 'nobody', password: 'wrong' });
  assert.equal(unknown.text, wrong.text.replace('admin', 'nobody'));
  await api.database.updateTable('user').set({ state: 'disabled' }).where('username', '=', 'admin').execute();
  const disabled = await login(api, { username: 'admin', password: adminPassword });
  assert.equal(disabled.text, wrong.text);
});

test('login by GET is refused: passwords do not belong into URLs', async (t) => {
  const api = await withTestApi(t);
  const answer = await api.send(
    encodeQuery({ command: 'login', username: 'admin', password: adminPassword }),
  );
  assert.equal(answer.status, 405);
});

test('after five wrong passwords even the right one has to wait', async (t) => {
  const api = await withTestApi(t);
  for (let i = 0; i < 6; i++) await login(api, { username: 'admin', password: `wrong${i}` });
  const answer = await login(api, { username: 'admin', password: adminPassword });
  assert.equal(answer.status, 429);
  assert.match(String(answer.content['errortext']), /try again in \d+ seconds/);
});

test('guesses that arrive all at once are counted before any is checked', async (t) => {
  const api = await withTestApi(t);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => login(api, { username: 'admin', password: `wrong${i}` })),
  );
  const checked = answers.filter((answer) => answer.status === 531);
  assert.ok(checked.length <= 6, `${checked.length} guesses were checked`);
});

test('the domain of a user is found by its path however it is written, and by its number', async (t) => {
  const api = await withTestApi(t);
  await addTenant(api.database, 'ann', { domainPath: '/eng/' });
  const admin = await api.database
    .selectFrom('user')
    .selectAll()
    .where('username', '=', 'admin')
    .executeTakeFirstOrThrow();
  await api.database
    .updateTable('user')
    .set({ password: admin.password })
    .where('username', '=', 'ann')
    .execute();
  for (const domain of ['/eng', 'eng', '/eng/', 'ROOT/eng', '/ENG']) {
    const answer = await login(api, { username: 'ann', password: adminPassword, domain });
    assert.equal(answer.status, 200, domain);
    assert.equal(answer.content['type'], '0');
  }
  assert.equal((await login(api, { username: 'ann', password: adminPassword })).status, 531);
  const { id } = await api.database
    .selectFrom('domain')
    .select('id')
    .where('path', '=', '/eng/')
    .executeTakeFirstOrThrow();
  const byNumber = await login(api, { username: 'ann', password: adminPassword, domainid: String(id) });
  assert.equal(byNumber.status, 200);
});

test('calls signed with old, unknown or disabled keys are all refused alike', async (t) => {
  const api = await withTestApi(t);
  const renewed = await api.call('registerUserKeys', { id: api.ids.userId });
  const keys = renewed.content['userkeys'] as { apikey: string; secretkey: string };
  const old = await api.call('listZones');
  assert.equal(old.status, 401);
  const current = { apiKey: keys.apikey, secretKey: keys.secretkey };
  assert.equal((await api.call('listZones', {}, current)).status, 200);
  const unsigned = await api.send(`command=listZones&apikey=${keys.apikey}`);
  assert.equal(unsigned.text, old.text);
  await api.database.updateTable('account').set({ state: 'disabled' }).execute();
  assert.equal((await api.call('listZones', {}, current)).text, old.text);
});

for (const [who, trustedProxies, status] of [
  ['counts for the caller that a trusted proxy names', '127.0.0.0/8', 531],
  ['cannot be hidden behind a header that anybody can send', undefined, 429],
] as const) {
  test(`a failed login ${who}`, async (t) => {
    const api = await withTestApi(t, trustedProxies === undefined ? {} : { trustedProxies });
    const attempt = (address: string) =>
      api.send('command=login', {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-for': address },
        body: 'username=admin&password=wrong&domain=/',
      });
    for (let count = 0; count < 7; count++) await attempt('203.0.113.1');
    assert.equal((await attempt('203.0.113.1')).status, 429);
    assert.equal((await attempt('203.0.113.2')).status, status);
  });
}
