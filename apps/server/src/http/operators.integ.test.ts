import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { type TestApi, withTestApi } from './testing/test-api.ts';

const read = async (api: TestApi, path: string, headers: Record<string, string> = {}) => {
  const response = await fetch(new URL(path, api.url), { headers });
  return { status: response.status, text: await response.text() };
};

test('a server is healthy while its database answers, and not while it does not', async (t) => {
  const api = await withTestApi(t);
  assert.deepEqual(await read(api, '/healthz'), { status: 200, text: 'ok\n' });
  await api.database.destroy();
  assert.deepEqual(await read(api, '/healthz'), { status: 503, text: 'the database does not answer\n' });
  assert.equal((await read(api, '/metrics')).status, 503);
});

test('Prometheus reads calls by command and the cloud by state; made-up commands make no figures', async (t) => {
  const api = await withTestApi(t);
  await api.call('listZones');
  await api.call('LISTzones');
  await api.send('command=evil%22%7D%0A&response=json');
  await sql`insert into async_job (uuid, user_id, account_id, job_cmd, job_cmd_info)
    select gen_random_uuid(), u.id, u.account_id, 'deployVirtualMachine', '{}' from "user" u`.execute(
    api.database,
  );
  const first = await read(api, '/metrics');
  assert.equal(first.status, 200);
  assert.match(first.text, /^millrace_api_call_seconds_count\{command="listZones"\} 2$/m);
  assert.match(first.text, /^millrace_api_call_seconds_count\{command="unknown"\} 1$/m);
  assert.match(first.text, /^millrace_api_calls_total\{status="2xx"\} 2$/m);
  assert.match(first.text, /^millrace_jobs_unfinished\{command="deployVirtualMachine"\} 1$/m);
  assert.match(first.text, /^millrace_server_process_resident_memory_bytes \d+$/m);
  assert.doesNotMatch(first.text, /evil/);

  await sql`update async_job set job_status = 1`.execute(api.database);
  assert.doesNotMatch((await read(api, '/metrics')).text, /^millrace_jobs_unfinished\{/m);
});

test('figures are for loopback and the networks that were named, also behind a proxy', async (t) => {
  const undeclared = await withTestApi(t);
  const forwarded = { 'x-forwarded-for': '203.0.113.7' };
  assert.equal((await read(undeclared, '/metrics', forwarded)).status, 403);

  const api = await withTestApi(t, { trustedProxies: '127.0.0.1', metricsCidrs: ['198.51.100.0/24'] });
  assert.equal((await read(api, '/metrics', forwarded)).status, 403);
  assert.equal((await read(api, '/metrics', { 'x-forwarded-for': '198.51.100.9' })).status, 200);
});
