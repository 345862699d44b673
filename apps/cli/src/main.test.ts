import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { type Call, type Reply, startFakeApi } from './testing/fake-api.ts';
import { makeHome } from './testing/run-main.ts';

const zone = { id: '6f1c', name: 'one', networktype: 'Advanced', allocationstate: 'Enabled', extra: [1] };
const zones: Reply = { answer: { count: 1, zone: [zone] } };

function onCommand(replies: Readonly<Record<string, Reply | ((call: Call) => Reply)>>) {
  return (call: Call): Reply | undefined => {
    const reply = replies[call.command];
    return typeof reply === 'function' ? reply(call) : reply;
  };
}

test('a list is called by verb and noun and printed as a table', async () => {
  await using server = await startFakeApi(onCommand({ listZones: zones }));
  await using home = await makeHome(server.url);
  assert.deepEqual(await home.run(['list', 'zone', 'NAME=one']), {
    code: 0,
    stdout: 'ID    NAME  NETWORKTYPE  ALLOCATIONSTATE\n6f1c  one   Advanced     Enabled\ncount = 1\n',
    stderr: '',
  });
  assert.equal(server.calls.at(-1)?.params['name'], 'one');
});

for (const [argv, stdout] of [
  [['listZones', '-o', 'json'], `${JSON.stringify({ count: 1, zone: [zone] }, undefined, 2)}\n`],
  [['listzones', '-o', 'csv', 'filter=name,id'], 'name,id\r\none,6f1c\r\n'],
  [['list', 'zones', 'filter=id', '--output=text'], 'id = 6f1c\n\ncount = 1\n'],
] as const) {
  test(`millrace ${argv.join(' ')} prints in that format`, async () => {
    await using server = await startFakeApi(onCommand({ listZones: zones }));
    await using home = await makeHome(server.url);
    assert.deepEqual(await home.run(argv), { code: 0, stdout, stderr: '' });
    assert.equal('filter' in server.calls.at(-1)!.params, false);
  });
}

test('the output format of the profile is used, and a misspelt field is told', async () => {
  await using server = await startFakeApi(onCommand({ listZones: zones }));
  await using home = await makeHome(server.url, { apikey: 'AK', secretkey: 'SK', output: 'csv' });
  const { stdout, stderr, code } = await home.run(['list', 'zones', 'filter=nmae']);
  assert.deepEqual([code, stdout], [0, 'nmae\r\n\r\n']);
  assert.equal(stderr, 'The answer has no field nmae. Did you mean name?\n');
});

test('a value goes over as it was typed, case of map keys included, and files are read', async () => {
  await using server = await startFakeApi(
    onCommand({ registerTemplate: { answer: { count: 1, template: [{ id: 't', name: 'Debian 12' }] } } }),
  );
  await using home = await makeHome(server.url);
  await writeFile(join(home.path, 'name.txt'), 'from a file');
  const { code } = await home.run(
    ['register', 'template', 'name=@name.txt', 'url=https://m/a.qcow2?x=1&y=2', 'details[0].rootDisk=a b'],
    { cwd: home.path },
  );
  assert.equal(code, 0);
  const { params, method } = server.calls.at(-1)!;
  assert.equal(method, 'POST');
  assert.deepEqual(
    [params['name'], params['url'], params['details[0].rootDisk']],
    ['from a file', 'https://m/a.qcow2?x=1&y=2', 'a b'],
  );
});

for (const [argv, message] of [
  [
    ['register', 'template', 'name=x'],
    /register template needs one more argument:\n {2}url {2}the url to use/,
  ],
  [['list', 'zones', 'nmae=x'], /list zones has no argument nmae\. Did you mean name\?/],
  [['list', 'zoens'], /Unknown command: list zoens\. Did you mean list zones\?/],
  [['list'], /What to list\? There are: templates, virtualmachines, zones/],
  [['list', 'zones', 'name=@nowhere'], /name: the file nowhere cannot be read/],
  [['list', 'zones', '--profile', 'prod'], /No profile prod\. There are local\./],
  [['list', 'zones', '-o', 'xml'], /Unknown output format xml/],
  [['set', 'utl', 'x'], /There is no setting utl\. Did you mean url\?/],
  [['set', 'url', 'ftp://x'], /no http or https URL/],
  [['show', 'me'], /millrace show config/],
  [['completion', 'fish'], /completion bash/],
  [['server'], /bin\/millrace server/],
] as const) {
  test(`millrace ${argv.join(' ')} is wrong usage: exit status 2, and nothing is sent`, async () => {
    await using server = await startFakeApi(() => undefined);
    await using home = await makeHome(server.url);
    const { code, stdout, stderr } = await home.run(argv);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, message);
    assert.deepEqual(server.commands(), []);
  });
}

test('an API error prints its text and codes without a stack: exit status 1', async () => {
  const error = { errorcode: 431, cserrorcode: 4350, errortext: 'Invalid parameter id\u001b[2J' };
  await using server = await startFakeApi(onCommand({ listZones: { error } }));
  await using home = await makeHome(server.url);
  assert.deepEqual(await home.run(['list', 'zones']), {
    code: 1,
    stdout: '',
    stderr: 'listZones failed: Invalid parameter id�[2J (error 431, 4350)\n',
  });
});

test('a server that is not there: exit status 3, with its URL and what to do', async () => {
  let url = '';
  {
    await using server = await startFakeApi(() => undefined);
    url = server.url;
  }
  await using home = await makeHome(url);
  const { code, stderr } = await home.run(['list', 'zones']);
  assert.equal(code, 3);
  assert.match(
    stderr,
    /^Cannot reach the API at http:\/\/127\.0\.0\.1:\d+\/client\/api: connection refused\./,
  );
  assert.match(stderr, /Is the server running there.*\nAnother server: millrace set url URL/);
});

test('credentials that are refused or absent: exit status 4', async () => {
  await using server = await startFakeApi(() => undefined);
  {
    await using home = await makeHome(server.url, { apikey: 'AK', secretkey: 'wrong' });
    const { code, stderr } = await home.run(['list', 'zones']);
    assert.equal(code, 4);
    assert.match(stderr, /unable to verify user credentials \(error 401, 4290\)\nCheck the credentials/);
  }
  {
    await using home = await makeHome(server.url, {});
    const { code, stderr } = await home.run(['list', 'zones']);
    assert.equal(code, 4);
    assert.match(stderr, /Profile local has neither API keys nor a password/);
  }
});

test('the environment lays a server and keys over the profile', async () => {
  await using server = await startFakeApi(onCommand({ listZones: zones }));
  await using home = await makeHome('http://127.0.0.1:1/client/api', {});
  const environment = { MILLRACE_URL: server.url, MILLRACE_APIKEY: 'AK', MILLRACE_SECRETKEY: 'SK' };
  const { code, stdout } = await home.run(['list', 'zones', 'filter=id', '-o', 'csv'], { environment });
  assert.deepEqual([code, stdout], [0, 'id\r\n6f1c\r\n']);
});

test('a profile with a password logs in once and keeps the session until the server forgets it', async () => {
  let session = 'first';
  const logins: string[] = [];
  // a server of its own: sessions carry no signature
  const server = createServer(async (request, response) => {
    const params = new URLSearchParams((await text(request)) || (request.url ?? '').split('?')[1]);
    const command = params.get('command') ?? '';
    const known = params.get('sessionkey') === session && request.headers.cookie === `S=${session}`;
    if (command === 'login') logins.push(params.get('password') ?? '');
    const inner =
      command === 'login'
        ? { sessionkey: session }
        : command === 'listApis'
          ? {
              count: 1,
              api: [{ name: 'listZones', isasync: false, description: '', params: [], response: [] }],
            }
          : { count: 1, zone: [zone] };
    const ok = known || command === 'login';
    response.writeHead(ok ? 200 : 401, {
      'content-type': 'application/json',
      'set-cookie': `S=${session}; Path=/`,
    });
    response.end(JSON.stringify({ xresponse: ok ? inner : { errorcode: 401, errortext: 'no session' } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert(typeof address === 'object' && address !== null);
  await using home = await makeHome(`http://127.0.0.1:${address.port}/client/api`, {
    username: 'admin',
    password: 'pw',
  });
  try {
    for (const expectedLogins of [1, 1, 2]) {
      if (expectedLogins === 2) session = 'second';
      assert.equal((await home.run(['list', 'zones'])).code, 0);
      assert.equal(logins.length, expectedLogins);
    }
    await home.run(['set', 'password', 'changed']);
    assert.equal((await home.run(['list', 'zones'])).code, 0);
    assert.deepEqual(logins, ['pw', 'pw', 'changed']);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('commands are asked for once, again by sync, and when a word is unknown', async () => {
  let grown = false;
  const more = { name: 'listPods', isasync: false, description: '', params: [], response: [] };
  await using server = await startFakeApi((call) => {
    if (call.command === 'listZones') return zones;
    if (call.command === 'listPods') return { answer: {} };
    if (call.command === 'listApis' && grown) return { answer: { count: 1, api: [more] } };
    return undefined;
  });
  await using home = await makeHome(server.url);
  const asked = () => server.calls.filter((call) => call.command === 'listApis').length;
  await home.run(['list', 'zones']);
  await home.run(['list', 'zones']);
  assert.equal(asked(), 1);
  const { stdout } = await home.run(['sync']);
  assert.equal(stdout, `7 commands of ${server.url}, kept for profile local\n`);
  assert.equal(asked(), 2);
  grown = true;
  assert.equal((await home.run(['list', 'pods'])).code, 0);
  assert.equal(asked(), 3);
});

test('settings are kept in the profile, shown without secrets, and a secret can come from standard input', async () => {
  await using home = await makeHome('http://a/client/api', {});
  assert.equal((await home.run(['set', 'output', 'json'])).code, 0);
  assert.equal((await home.run(['set', 'secretkey', '-'], { input: 'very secret\n' })).code, 0);
  assert.equal((await home.run(['set', 'profile', 'prod'])).code, 0);
  assert.equal((await home.run(['set', 'url=https://b/client/api'])).code, 0);
  assert.deepEqual(JSON.parse(await readFile(home.config, 'utf8')), {
    current: 'prod',
    profiles: {
      local: { url: 'http://a/client/api', output: 'json', secretkey: 'very secret' },
      prod: { url: 'https://b/client/api' },
    },
  });
  assert.equal((await stat(home.config)).mode & 0o777, 0o600);
  const { stdout } = await home.run(['show', 'config']);
  assert.equal(
    stdout,
    `${home.config}\n\nlocal\n  url         http://a/client/api\n  secretkey   ********\n  output      json\n` +
      '\nprod (in use)\n  url         https://b/client/api\n',
  );
});

test('help is there for the program, a verb, a command and for fetch, without anything being called', async () => {
  await using server = await startFakeApi(() => undefined);
  await using home = await makeHome(server.url);
  assert.match((await home.run(['--help'])).stdout, /The verbs come from the server/);
  const { code, stdout } = await home.run(['register', 'template', '--help']);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `registerTemplate: Describes registerTemplate

Usage:
  millrace register template name=STRING url=STRING [KEY=VALUE …]

Required:
  name string  the name to use
  url string   the url to use

Optional:
  directdownload boolean  the directdownload to use
  details map             the details to use
  zoneid uuid             the zoneid to use

Fields (for filter=):
  id, name
`,
  );
  assert.match(
    (await home.run(['help', 'deployVirtualMachine'])).stdout,
    /Optional:\n {2}userdata string .*\n\nKnown to CloudStack, but without effect here:\n {2}group string .*refused/,
  );
  assert.match((await home.run(['help', 'deployVirtualMachine'])).stdout, /Runs as a job/);
  assert.match(
    (await home.run(['list', '-h'])).stdout,
    /^What to list:\n {2}list templates {8}Describes listTemplates/,
  );
  assert.match((await home.run(['--help'])).stdout, /deploy, list, query, register, stop/);
  assert.match((await home.run(['set', '--help'])).stdout, /Keys: profile, url/);
  assert.match((await home.run(['fetch', '--help'])).stdout, /^Usage: millrace fetch URL --to DIR/);
  assert.match((await home.run(['help', 'fetch'])).stdout, /^Usage: millrace fetch URL --to DIR/);
  assert.deepEqual(server.commands(), []);
});

test('the version is printed without a configuration that can be read', async () => {
  await using home = await makeHome('http://a', {});
  await writeFile(home.config, '{');
  for (const argv of [['--version'], ['-V'], ['version']]) {
    assert.deepEqual(await home.run(argv), { code: 0, stdout: 'millrace 0.1.0\n', stderr: '' });
  }
  const { code, stderr } = await home.run(['list', 'zones']);
  assert.equal(code, 2);
  assert(stderr.includes(home.config));
});
