import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { readAnswer, rows, withTestApi } from './testing/test-api.ts';

/** fetch sets headers of its own and not every one that a browser sets. */
function get(url: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .once('error', reject)
      .end();
  });
}

test('programs of this machine call as root admin where no credentials are asked for, and only there', async (t) => {
  const api = await withTestApi(t, { integrationPort: { host: '127.0.0.1', port: 0 } });
  const ask = async (query: string, init?: RequestInit) =>
    readAnswer(await fetch(`${api.integrationUrl}?${query}`, init));
  const hosts = await ask('command=listZones&response=json');
  assert.equal(hosts.status, 200, hosts.text);
  assert.equal(rows(hosts).length, 1);
  const made = await ask('', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'command=createDomain&name=acme',
  });
  assert.equal(made.status, 200, made.text);
  const [event] = rows(await api.call('listEvents', { type: 'DOMAIN.CREATE' }));
  assert.equal(event!['username'], 'admin', 'it is told who did it');
  assert.equal((await ask('command=listZones&id=x')).status, 431);
  assert.equal((await ask('command=makeCoffee')).status, 432);
  assert.equal((await api.send('command=listZones')).status, 401, 'the other port is as it was');
});

test('pages in browsers and proxies are kept out', async (t) => {
  const api = await withTestApi(t, { integrationPort: { host: '127.0.0.1', port: 0 } });
  const url = `${api.integrationUrl}?command=listZones`;
  const host = new URL(url).host;
  assert.equal(await get(url, { host }), 200);
  assert.equal(await get(url, { host: host.replace('127.0.0.1', 'localhost') }), 200);
  for (const headers of [
    { host, origin: 'https://evil.example' },
    { host, 'sec-fetch-site': 'cross-site' },
    { host, 'sec-fetch-site': 'same-origin' },
    { host: 'evil.example' },
    { host, 'x-forwarded-for': '203.0.113.9' },
  ])
    assert.equal(await get(url, headers), 401, JSON.stringify(headers));
});

test('a disabled admin acts no more, and without one there is nobody to act as', async (t) => {
  const api = await withTestApi(t, { integrationPort: { host: '127.0.0.1', port: 0 } });
  await api.database.updateTable('user').set({ state: 'disabled' }).execute();
  const answer = await readAnswer(await fetch(`${api.integrationUrl}?command=listZones`));
  assert.equal(answer.status, 401);
});

test('a port elsewhere is not opened, whatever the configuration became', async (t) => {
  await assert.rejects(withTestApi(t, { integrationPort: { host: '0.0.0.0', port: 0 } }), /on loopback only/);
});
