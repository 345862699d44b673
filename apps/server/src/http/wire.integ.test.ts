import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { addTenant, encodeQuery, rows, signedQuery, withTestApi } from './testing/test-api.ts';

test('a list is answered in one line of JSON with one top-level key and the total count', async (t) => {
  const api = await withTestApi(t);
  const answer = await api.call('listServiceOfferings', { page: '1', pagesize: '1' });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(answer.key, 'listserviceofferingsresponse');
  assert.equal(answer.content['count'], 3);
  assert.equal(rows(answer).length, 1);
  assert.equal(answer.text.includes('\n'), false);
});

test('an empty list is an empty object', async (t) => {
  const api = await withTestApi(t);
  const answer = await api.call('listVirtualMachines', { listall: 'true' });
  assert.equal(answer.text, '{"listvirtualmachinesresponse":{}}');
});

test('names of parameters and booleans may have any case, unknown and empty parameters are ignored', async (t) => {
  const api = await withTestApi(t);
  const answer = await api.call('listzones', {
    NAME: 'zone1',
    listAll: 'True',
    filter: 'id,name',
    keyword: '',
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.content['count'], 1);
});

test('a POST may carry its parameters in the query, in the body, or in both', async (t) => {
  const api = await withTestApi(t);
  const query = signedQuery({ command: 'listZones', name: 'zone1' }, api.admin);
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const [first, ...rest] = query.split('&');
  const answers = [
    await api.send(query, { method: 'POST' }),
    await api.send(query, { method: 'POST', headers: form, body: '' }),
    await api.send('', { method: 'POST', headers: form, body: query }),
    await api.send(first!, { method: 'POST', headers: form, body: rest.join('&') }),
  ];
  assert.deepEqual(
    answers.map((answer) => [answer.status, answer.content['count']]),
    answers.map(() => [200, 1]),
  );
});

test('a parameter given twice is refused, whatever its case and wherever it stands', async (t) => {
  const api = await withTestApi(t);
  const query = signedQuery({ command: 'listZones' }, api.admin);
  const inQuery = await api.send(`${query}&Command=listUsers`);
  assert.equal(inQuery.status, 430);
  assert.match(String(inQuery.content['errortext']), /Command is given more than once/);
  const inBody = await api.send(query, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'apikey=other',
  });
  assert.equal(inBody.status, 430);
});

test('an error has the status of its errorcode, a JSON type and the envelope of its command', async (t) => {
  const api = await withTestApi(t);
  const answer = await api.call('listZones', { id: 'nonsense' });
  assert.equal(answer.status, 431);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(answer.key, 'listzonesresponse');
  assert.deepEqual(Object.keys(answer.content), ['uuidList', 'errorcode', 'cserrorcode', 'errortext']);
  assert.equal(answer.content['errorcode'], 431);
  assert.equal(answer.content['cserrorcode'], 4350);
  assert.match(String(answer.content['errortext']), /id.*must be a UUID/);
});

test('an unknown command is 432 for whoever is known and 401 for strangers', async (t) => {
  const api = await withTestApi(t);
  const known = await api.call('makeCoffee');
  assert.equal(known.status, 432);
  assert.equal(known.key, 'errorresponse');
  assert.equal((await api.send('command=makeCoffee&response=json')).status, 401);
  assert.equal((await api.send('')).status, 401);
});

test('what CloudStack has and Millrace deliberately has not answers 432 with what to do instead, to whoever is known', async (t) => {
  const api = await withTestApi(t);
  const user = await addTenant(api.database, 'ann');
  for (const keys of [user, api.admin]) {
    const answer = await api.call('extractVolume', { id: 'x', mode: 'HTTP_DOWNLOAD' }, keys);
    assert.equal(answer.status, 432);
    assert.equal(answer.content['cserrorcode'], 9999);
    assert.match(String(answer.content['errortext']), /^There is no extractVolume: disks are not exported/);
  }
  assert.match((await api.call('CREATETEMPLATE', {}, user)).text, /register its url with registerTemplate/);
  assert.equal((await api.send('command=extractVolume&response=json')).status, 401);
});

test('a command of another role looks like one that does not exist', async (t) => {
  const api = await withTestApi(t);
  const user = await addTenant(api.database, 'ann');
  const answer = await api.call('listHosts', {}, user);
  assert.equal(answer.status, 432);
  const unknown = await api.call('makeCoffee', {}, user);
  assert.equal(
    String(answer.content['errortext']).replace('listHosts', 'makeCoffee'),
    unknown.content['errortext'],
  );
});

test('a missing mandatory parameter is named as clients expect it', async (t) => {
  const api = await withTestApi(t);
  const answer = await api.call('queryAsyncJobResult');
  assert.equal(answer.status, 431);
  assert.equal(
    answer.content['errortext'],
    'Unable to execute API command queryasyncjobresult due to missing parameter jobid',
  );
});

test('a form of 1.4 MiB and a query of 100 KiB get through, more of a body is refused in JSON', async (t) => {
  const api = await withTestApi(t);
  const big = signedQuery({ command: 'listZones', extra: 'x'.repeat(1_400_000) }, api.admin);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  assert.equal((await api.send('', { method: 'POST', headers, body: big })).status, 200);
  const long = signedQuery({ command: 'listZones', extra: 'x'.repeat(100_000) }, api.admin);
  assert.equal((await api.send(long)).status, 200);
  const tooBig = await api.send('', { method: 'POST', headers, body: 'x'.repeat(1_600_000) });
  assert.equal(tooBig.status, 430);
});

test('a URL larger than the server takes is refused in JSON that says what to do', async (t) => {
  const api = await withTestApi(t);
  const answer = await api.send(`command=listZones&extra=${'x'.repeat(300_000)}`);
  assert.equal(answer.status, 430);
  assert.match(String(answer.content['errortext']), /by POST/);
});

test('a body of another type is refused', async (t) => {
  const api = await withTestApi(t);
  const answer = await api.send('', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"command":"listZones"}',
  });
  assert.equal(answer.status, 430);
  assert.match(String(answer.content['errortext']), /x-www-form-urlencoded/);
});

test('a NUL in a value is refused with the name of the parameter', async (t) => {
  const api = await withTestApi(t);
  const answer = await api.call('listZones', { name: 'a\0b' });
  assert.equal(answer.status, 431);
  assert.match(String(answer.content['errortext']), /name/);
});

test('an unexpected error tells a correlation and nothing of its inside', async (t) => {
  const api = await withTestApi(t);
  await api.database.schema.dropTable('guest_os').cascade().execute();
  const answer = await api.call('listOsTypes');
  assert.equal(answer.status, 530);
  assert.match(String(answer.content['errortext']), /correlation [0-9a-f-]{36}/);
  assert.doesNotMatch(answer.text, /guest_os|relation "|at .*\.ts/);
});

test('other methods and other paths are answered in JSON', async (t) => {
  const api = await withTestApi(t);
  const put = await fetch(api.url, { method: 'PUT' });
  assert.equal(put.status, 404);
  assert.match(put.headers.get('content-type') ?? '', /^application\/json/);
  const other = await fetch(api.url.replace('/client/api', '/etc/passwd'));
  assert.equal(other.status, 404);
});

test('a request with a malformed header line does not disturb the next one', async (t) => {
  const api = await withTestApi(t);
  const { port } = new URL(api.url);
  const status = await new Promise((resolve, reject) => {
    const broken = request({ port, method: 'GET', path: '/client/api?command=%', agent: false }, (response) =>
      resolve(response.statusCode),
    );
    broken.once('error', reject);
    broken.end();
  });
  assert.equal(status, 401);
  assert.equal((await api.send(encodeQuery({ command: 'listZones' }))).status, 401);
});

test('pages beyond the end are empty but tell the count, and page sizes over the setting are refused', async (t) => {
  const api = await withTestApi(t);
  const beyond = await api.call('listServiceOfferings', { page: '9', pagesize: '2' });
  assert.deepEqual(beyond.content, { count: 3, serviceoffering: [] });
  assert.equal((await api.call('listServiceOfferings', { pagesize: '501' })).status, 431);
  assert.equal((await api.call('listServiceOfferings', { page: '0', pagesize: '5' })).status, 431);
  assert.equal(rows(await api.call('listOsTypes', { pagesize: '-1' })).length > 40, true);
});
