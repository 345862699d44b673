import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { test } from 'node:test';
import { makeApiClient } from './client.ts';
import { ApiCallError, ApiConnectionError, JobFailedError } from './errors.ts';
import { login } from './session.ts';
import { signRequest } from './sign.ts';

interface Seen {
  readonly method: string;
  readonly search: string;
  readonly params: Record<string, string>;
  readonly cookie: string | undefined;
}

type Answer =
  | { status?: number; body: unknown; headers?: Record<string, string | string[]> }
  | 'hang'
  | 'reset';

/** A server that answers what `answer` says, and remembers what it was asked. */
async function startServer(answer: (seen: Seen, count: number) => Answer) {
  const seen: Seen[] = [];
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { search, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const params = Object.fromEntries([...searchParams, ...new URLSearchParams(body)]);
    const entry = { method: request.method ?? '', search, params, cookie: request.headers.cookie };
    seen.push(entry);
    const given = answer(entry, seen.length);
    if (given === 'hang') return;
    if (given === 'reset') return void request.socket.resetAndDestroy();
    response.writeHead(given.status ?? 200, { 'content-type': 'application/json', ...given.headers });
    response.end(typeof given.body === 'string' ? given.body : JSON.stringify(given.body));
  };
  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  return {
    url: `http://127.0.0.1:${address.port}/client/api`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const { signal } = new AbortController();
const keys = { apiKey: 'AK', secretKey: 'SK' };

test('a call is signed over exactly what the server receives, and its envelope is taken off', async () => {
  await using server = await startServer(() => ({
    body: { listzonesresponse: { count: 1, zone: [{ id: 'z' }] } },
  }));
  const answer = await makeApiClient({ url: server.url, ...keys }).call(
    'listZones',
    { name: 'a b*c+~', 'tags[0].Key': 'v', page: 1, skipped: undefined },
    { signal },
  );
  assert.deepEqual(answer, { count: 1, zone: [{ id: 'z' }] });
  const [{ method, params }] = server.seen as [Seen];
  const { signature, ...rest } = params;
  assert.equal(method, 'GET');
  assert.equal(rest['tags[0].Key'], 'v');
  assert.equal('skipped' in rest, false);
  assert.equal(signature, signRequest(rest, 'SK'));
});

for (const [what, params] of [
  ['a password', { password: 'p' }],
  ['user data', { userdata: 'eA==' }],
  ['a URL', { url: 'https://user:password@mirror/a.qcow2' }],
  ['a detail', { 'details[0].HTTP_HEADER:Authorization': 'Bearer x' }],
  ['a long query', { description: 'x'.repeat(5000) }],
] as const) {
  test(`a call with ${what} goes by POST, with nothing in the URL`, async () => {
    await using server = await startServer(() => ({ body: { xresponse: {} } }));
    await makeApiClient({ url: server.url, ...keys }).call('createUser', params, { signal });
    assert.deepEqual([server.seen[0]?.method, server.seen[0]?.search], ['POST', '']);
    assert.equal(server.seen[0]?.params['command'], 'createUser');
  });
}

test('an error answer keeps code, exception code and text', async () => {
  await using server = await startServer(() => ({
    status: 431,
    body: { listzonesresponse: { uuidList: [], errorcode: 431, cserrorcode: 4350, errortext: 'bad id' } },
  }));
  await assert.rejects(
    makeApiClient({ url: server.url, ...keys }).call('listZones', {}, { signal }),
    (error) => {
      assert(error instanceof ApiCallError);
      assert.deepEqual([error.errorcode, error.cserrorcode, error.errortext], [431, 4350, 'bad id']);
      assert.equal(error.message, 'listZones failed: bad id (error 431)');
      return true;
    },
  );
});

test('an error status without an error code in the body is an error all the same', async () => {
  await using server = await startServer(() => ({ status: 503, body: { xresponse: {} } }));
  await assert.rejects(
    makeApiClient({ url: server.url, ...keys }).call('listZones', {}, { signal }),
    (error) => error instanceof ApiCallError && error.errorcode === 503,
  );
});

test('a refused connection names the URL without its secrets and asks whether the server runs', async () => {
  let url: string;
  {
    await using server = await startServer(() => 'hang');
    url = server.url;
  }
  const client = makeApiClient({ url: `${url}?token=hidden`, ...keys });
  await assert.rejects(client.call('listZones', {}, { signal }), (error) => {
    assert(error instanceof ApiConnectionError);
    assert.equal(error.code, 'API_UNREACHABLE');
    assert.match(
      error.message,
      /Cannot reach the API at http:\/\/127\.0\.0\.1:\d+\/client\/api\?…: connection refused/,
    );
    assert.match(error.message, /Is the server running/);
    assert.doesNotMatch(error.message, /hidden/);
    return true;
  });
});

test('a server that never answers is given up after the time-out', async () => {
  await using server = await startServer(() => 'hang');
  await assert.rejects(
    makeApiClient({ url: server.url, ...keys, timeoutMs: 100 }).call('listZones', {}, { signal }),
    (error) => error instanceof ApiConnectionError && /no answer within 0.1 s/.test(error.message),
  );
});

test('an abort ends a call with the reason of the abort', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  await using server = await startServer(() => {
    controller.abort(reason);
    return 'hang';
  });
  await assert.rejects(
    makeApiClient({ url: server.url, ...keys }).call('listZones', {}, { signal: controller.signal }),
    (error) => error === reason,
  );
});

for (const [what, answer] of [
  ['a web page', { body: '<html>', headers: { 'content-type': 'text/html' } }],
  ['JSON without an envelope', { body: { hello: 1 } }],
  ['a JSON list', { body: [] }],
  ['a redirect', { status: 302, body: '', headers: { location: 'http://127.0.0.1:1/' } }],
] as const) {
  test(`${what} is reported as something that is no API`, async () => {
    await using server = await startServer(() => answer);
    await assert.rejects(
      makeApiClient({ url: server.url, ...keys }).call('listZones', {}, { signal }),
      (error) => error instanceof ApiConnectionError && error.code === 'API_ANSWER_UNREADABLE',
    );
    assert.equal(server.seen.length, 1);
  });
}

test('a login gives a session whose cookie and key go along with every call', async () => {
  await using server = await startServer((seen) =>
    seen.params['command'] === 'login'
      ? {
          body: { loginresponse: { sessionkey: 'k+1' } },
          headers: { 'set-cookie': ['JSESSIONID=abc; HttpOnly', 'sessionkey=k%2B1; Path=/client/api'] },
        }
      : { body: { listzonesresponse: {} } },
  );
  const session = await login({ url: server.url, username: 'admin', password: 'p&w', signal });
  await makeApiClient({ url: server.url, session }).call('listZones', {}, { signal });
  const [first, second] = server.seen as [Seen, Seen];
  assert.deepEqual([first.method, first.search], ['POST', '']);
  assert.deepEqual([first.params['password'], first.params['domain']], ['p&w', '/']);
  assert.deepEqual([second.cookie, second.params['sessionkey']], ['JSESSIONID=abc; sessionkey=k%2B1', 'k+1']);
});

const jobAnswer = (fields: object): Answer => ({
  body: { queryasyncjobresultresponse: { jobid: 'j', ...fields } },
});

test('waiting for a job reports every answer and ends with the result', async () => {
  await using server = await startServer((_, count) =>
    count < 3
      ? jobAnswer({ jobstatus: 0, jobprogress: { phase: `p${count}` } })
      : jobAnswer({ jobstatus: 1, jobresult: { success: true } }),
  );
  const phases: (string | undefined)[] = [];
  const job = await makeApiClient({ url: server.url, ...keys }).waitForJob('j', {
    signal,
    pollMs: 5,
    onUpdate: ({ progress }) => phases.push(progress?.phase),
  });
  assert.deepEqual(job.result, { success: true });
  assert.deepEqual(phases, ['p1', 'p2', undefined]);
});

test('waiting survives a server that is away for a while', async () => {
  await using server = await startServer((_, count) =>
    count === 1
      ? 'reset'
      : count === 2
        ? { status: 530, body: { errorresponse: { errorcode: 530, errortext: 'no database' } } }
        : jobAnswer({ jobstatus: 1, jobresult: {} }),
  );
  const troubles: string[] = [];
  await makeApiClient({ url: server.url, ...keys }).waitForJob('j', {
    signal,
    pollMs: 5,
    onTrouble: (error) => troubles.push(error.code),
  });
  assert.deepEqual(troubles, ['API_UNREACHABLE', 'API_CALL_FAILED']);
});

test('waiting is given up when the server stays away longer than the patience', async () => {
  await using server = await startServer(() => 'reset');
  await assert.rejects(
    makeApiClient({ url: server.url, ...keys }).waitForJob('j', { signal, pollMs: 5, patienceMs: 50 }),
    ApiConnectionError,
  );
  assert(server.seen.length > 1);
});

test('waiting ends at once when the server does not know the job', async () => {
  await using server = await startServer(() => ({
    status: 431,
    body: { queryasyncjobresultresponse: { errorcode: 431, errortext: 'no such job' } },
  }));
  await assert.rejects(
    makeApiClient({ url: server.url, ...keys }).waitForJob('j', { signal }),
    /no such job/,
  );
  assert.equal(server.seen.length, 1);
});

test('a failed job throws its error text together with its attempts', async () => {
  await using server = await startServer(() =>
    jobAnswer({
      jobstatus: 2,
      cmd: 'org.apache.cloudstack.api.command.user.vm.DeployVMCmd',
      jobresult: { errorcode: 533, cserrorcode: 4325, errortext: 'no host left' },
      jobattempts: [{ host: 'node1', state: 'failed', sources: [{ url: 'http://m/a', state: 'failed' }] }],
    }),
  );
  await assert.rejects(makeApiClient({ url: server.url, ...keys }).waitForJob('j', { signal }), (error) => {
    assert(error instanceof JobFailedError);
    assert.equal(error.message, 'DeployVMCmd failed: no host left (error 533)');
    assert.equal(error.job.attempts[0]?.sources[0]?.url, 'http://m/a');
    return true;
  });
});

test('an abort while waiting stops the polling with the reason of the abort', async () => {
  const controller = new AbortController();
  await using server = await startServer(() => jobAnswer({ jobstatus: 0 }));
  const reason = new Error('interrupted');
  await assert.rejects(
    makeApiClient({ url: server.url, ...keys }).waitForJob('j', {
      signal: controller.signal,
      pollMs: 5,
      onUpdate: () => controller.abort(reason),
    }),
    (error) => error === reason,
  );
});

test('the list of commands is asked for with listall and decoded', async () => {
  await using server = await startServer(() => ({
    body: {
      listapisresponse: {
        count: 1,
        api: [{ name: 'listZones', isasync: false, description: 'd', params: [], response: [] }],
      },
    },
  }));
  const apis = await makeApiClient({ url: server.url, ...keys }).listApis({ signal });
  assert.deepEqual(apis, [{ name: 'listZones', isasync: false, description: 'd', params: [], response: [] }]);
  assert.equal(server.seen[0]?.params['listall'], 'true');
});
