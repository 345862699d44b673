import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import {
  addTenant,
  adminPassword,
  encodeQuery,
  type Keys,
  signedQuery,
  type TestApi,
  withTestApi,
} from './testing/test-api.ts';

/** Reads events until one names the table; collects what was told before. */
async function openStream(t: TestContext, api: TestApi, init: { keys?: Keys; cookie?: string }) {
  const controller = new AbortController();
  t.after(() => controller.abort());
  const query = init.keys ? `?${signedQuery({}, init.keys)}` : '';
  const response = await fetch(`${api.url}/changes${query}`, {
    signal: controller.signal,
    headers: init.cookie === undefined ? {} : { cookie: init.cookie },
  });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    end: () => controller.abort(),
    async until(table: string): Promise<string> {
      while (!text.includes(`"${table}"`)) {
        const { value, done } = await reader.read();
        assert.ok(!done, `the stream ended after ${text}`);
        text += value;
      }
      const told = text;
      text = '';
      return told;
    },
  };
}

test('a session is told what kind of row has changed, also by another connection, and nothing of it', async (t) => {
  const api = await withTestApi(t);
  const body = encodeQuery({
    command: 'login',
    response: 'json',
    username: 'admin',
    password: adminPassword,
  });
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const login = await api.send('', { method: 'POST', headers, body });
  const cookie = login.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  const stream = await openStream(t, api, { cookie });
  await api.call('updateConfiguration', { name: 'session.timeout', value: '900' });
  assert.match(await stream.until('event'), /^data: \["event"\]$/m);
});

test('users hear of their own rows and of everybody’s, not of those of others', async (t) => {
  const api = await withTestApi(t);
  const ada = await addTenant(api.database, 'ada');
  const eve = await addTenant(api.database, 'eve');
  const [adas, eves] = [await openStream(t, api, { keys: ada }), await openStream(t, api, { keys: eve })];
  await api.call('registerUserKeys', { id: ada.userUuid });
  await adas.until('event');
  await sql`select pg_notify('millrace_changed', 'storage_pool ')`.execute(api.database);
  assert.doesNotMatch(await eves.until('storage_pool'), /"event"/);
});

test('strangers get no stream', async (t) => {
  const api = await withTestApi(t);
  const response = await fetch(`${api.url}/changes`);
  assert.equal(response.status, 401);
});
