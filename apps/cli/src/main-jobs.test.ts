import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Call, type Reply, startFakeApi } from './testing/fake-api.ts';
import { makeHome, runProgramTo } from './testing/run-main.ts';

const deploy = ['deploy', 'virtualmachine', 'templateid=t', 'zoneid=z'];
const machine = { virtualmachine: { id: 'v', name: 'web', state: 'Running' } };
const dead = {
  url: 'http://dead/a.qcow2',
  sourcerank: 1,
  state: 'failed',
  bytes: 0,
  durationms: 5,
  reason: 'CONNECT_REFUSED',
  message: 'connection refused',
  next: 'next-source',
};
const good = { url: 'http://good/a.qcow2', sourcerank: 2, state: 'running' };

const pending = (phase: string, sources: object[]): Reply => ({
  answer: {
    jobid: 'j',
    jobstatus: 0,
    jobprogress: {
      phase,
      percent: 27,
      hostname: 'node1',
      ...(phase === 'transferring' ? { url: good.url, bytes: 12_300_000, totalbytes: 45_000_000 } : {}),
    },
    jobattempts: [{ host: 'node1', pool: 'local', state: 'running', sources }],
  },
});
const done: Reply = { answer: { jobid: 'j', jobstatus: 1, jobresultcode: 0, jobresult: machine } };
const failed: Reply = {
  answer: {
    jobid: 'j',
    jobstatus: 2,
    cmd: 'org.apache.cloudstack.api.command.user.vm.DeployVMCmd',
    jobresult: { errorcode: 533, cserrorcode: 4325, errortext: 'no host could fetch the template' },
    jobattempts: [
      {
        host: 'node1',
        state: 'failed',
        message: 'every source failed',
        next: 'stop',
        sources: [dead, { ...good, state: 'failed', reason: 'HTTP_NOT_FOUND' }],
      },
    ],
  },
};

/** Starts the job; its answers come one after another, the last one for ever. */
function jobAnswers(...answers: Reply[]) {
  let polls = 0;
  return (call: Call): Reply | undefined => {
    if (call.command === 'deployVirtualMachine') return { answer: { id: 'v', jobid: 'j' } };
    if (call.command === 'queryAsyncJobResult') return answers[Math.min(polls++, answers.length - 1)];
    return undefined;
  };
}

test('a job is waited for: phases and failed sources on stderr, the result on stdout', async () => {
  await using server = await startFakeApi(
    jobAnswers(pending('transferring', [dead, good]), pending('starting', [dead, good]), done),
  );
  await using home = await makeHome(server.url);
  assert.deepEqual(await home.run([...deploy, '-o', 'json']), {
    code: 0,
    stdout: `${JSON.stringify(machine, undefined, 2)}\n`,
    stderr:
      '  ✗ mirror 1 http://dead/a.qcow2 · 0 B · 5 ms · connection refused (CONNECT_REFUSED), then next source\n' +
      '27% transferring · host node1 · 12.3/45.0 MB · mirror 2 http://good/a.qcow2\n' +
      '27% starting · host node1\n',
  });
});

test('a quiet wait prints the result alone', async () => {
  await using server = await startFakeApi(jobAnswers(pending('transferring', [dead]), done));
  await using home = await makeHome(server.url);
  assert.deepEqual(await home.run([...deploy, '-q']), {
    code: 0,
    stdout: 'ID  NAME  STATE\nv   web   Running\n',
    stderr: '',
  });
});

test('a failed job lists every attempt and ends with exit status 1', async () => {
  await using server = await startFakeApi(jobAnswers(failed));
  await using home = await makeHome(server.url);
  const { code, stdout, stderr } = await home.run([...deploy, '-q']);
  assert.deepEqual([code, stdout], [1, '']);
  assert.equal(
    stderr,
    'Attempts:\n' +
      '  1. ✗ host node1: every source failed\n' +
      '     ✗ mirror 1 http://dead/a.qcow2 · 0 B · 5 ms\n       connection refused (CONNECT_REFUSED), then next source\n' +
      '     ✗ mirror 2 http://good/a.qcow2: HTTP_NOT_FOUND\n' +
      'deployVirtualMachine failed: no host could fetch the template (error 533, 4325)\n',
  );
});

test('a failed job in JSON is the whole answer, attempts included', async () => {
  await using server = await startFakeApi(jobAnswers(failed));
  await using home = await makeHome(server.url);
  const { code, stdout } = await home.run([...deploy, '-o', 'json']);
  assert.equal(code, 1);
  assert.equal(JSON.parse(stdout).jobattempts[0].sources[1].reason, 'HTTP_NOT_FOUND');
});

test('without waiting, the id of the job is printed and nothing is polled', async () => {
  await using server = await startFakeApi(jobAnswers(done));
  await using home = await makeHome(server.url);
  const { code, stdout } = await home.run([...deploy, '--no-wait', '-o', 'json']);
  assert.deepEqual([code, JSON.parse(stdout)], [0, { id: 'v', jobid: 'j' }]);
  assert.deepEqual(server.commands(), ['deployVirtualMachine']);
});

test('waiting goes on over a server that is away for a moment, and says so', async () => {
  await using server = await startFakeApi(jobAnswers('reset', pending('starting', []), done));
  await using home = await makeHome(server.url);
  const { code, stderr } = await home.run(deploy);
  assert.equal(code, 0);
  assert.match(
    stderr,
    /^! Cannot reach the API at .*The job goes on; still asking\.\n✓ The server answers again\.\n27% starting · /,
  );
});

test('Ctrl-C while waiting says that the job goes on and where to look: exit status 130', async () => {
  await using server = await startFakeApi(jobAnswers(pending('transferring', [])));
  await using home = await makeHome(server.url);
  const { code, stdout, stderr } = await home.run(deploy, { interruptAfter: 'transferring' });
  assert.deepEqual([code, stdout], [130, '']);
  assert.match(
    stderr,
    /\nInterrupted\. The job goes on; see how it does: millrace query asyncjobresult jobid=j\n$/,
  );
});

test('asking for a job by hand shows its fields, then progress and attempts', async () => {
  await using server = await startFakeApi(jobAnswers(pending('transferring', [dead, good])));
  await using home = await makeHome(server.url);
  const { code, stdout } = await home.run(['query', 'asyncjobresult', 'jobid=j']);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    'FIELD      VALUE\njobid      j\njobstatus  0\n\n' +
      '27% transferring · host node1 · 12.3/45.0 MB · mirror 2 http://good/a.qcow2\n\n' +
      'Attempts:\n  1. · host node1, pool local: running\n' +
      '     ✗ mirror 1 http://dead/a.qcow2 · 0 B · 5 ms\n       connection refused (CONNECT_REFUSED), then next source\n' +
      '     · mirror 2 http://good/a.qcow2: running\n',
  );
});

test('a shell fed by a pipe runs each line, goes on after failures and ends with the last of them', async () => {
  await using server = await startFakeApi((call) =>
    call.command === 'listZones'
      ? { answer: { count: 1, zone: [{ id: 'z', name: call.params['name'] ?? 'any' }] } }
      : undefined,
  );
  await using home = await makeHome(server.url);
  const { code, stdout, stderr } = await home.run([], {
    input: [
      '# a comment',
      '',
      'list zones name="Zone  \\"1\\"" filter=name -o csv',
      'list virtualmachines',
      'list "zones',
      'list zoens',
      "list zones filter=name -o csv name='a b'",
      'exit',
      'list zones filter=id',
    ].join('\n'),
  });
  assert.equal(code, 2);
  assert.equal(stdout, 'name\r\n"Zone  ""1"""\r\nname\r\na b\r\n');
  assert.equal(
    stderr,
    'listVirtualMachines failed: unknown command listVirtualMachines (error 432, 9999)\n' +
      'The quote " is never closed.\n' +
      'Unknown command: list zoens. Did you mean list zones?\n',
  );
});

test('at a terminal the shell prompts with its profile and keeps its history, secrets left out', async () => {
  await using server = await startFakeApi((call) =>
    call.command === 'listZones' ? { answer: { count: 1, zone: [{ id: 'z', name: 'one' }] } } : undefined,
  );
  await using home = await makeHome(server.url);
  const main = new URL('./main.ts', import.meta.url).pathname;
  // script(1) gives the program a terminal
  const { code, stdout } = await runProgramTo(
    'script',
    ['-qec', `${process.execPath} ${main}`, '/dev/null'],
    {
      environment: { ...home.environment, TERM: 'xterm' },
      input: 'list zones\nlist nonsense\nset secretkey hush\nexit\n',
    },
  );
  assert.equal(code, 0);
  assert.match(stdout, /\(local\) millrace> /);
  assert.match(stdout, /ID {2}NAME\r\nz {3}one\r\ncount = 1\r\n/);
  assert.match(stdout, /Unknown command: list nonsense/);
  const history = join(home.environment.MILLRACE_STATE_DIR, 'history');
  assert.equal(await readFile(history, 'utf8'), 'list zones\nlist nonsense\nexit\n');
  assert.equal((await stat(history)).mode & 0o777, 0o600);
});

test('a shell that is fed nothing ends well', async () => {
  await using home = await makeHome('http://127.0.0.1:1/client/api');
  assert.deepEqual(await home.run([], { input: '' }), { code: 0, stdout: '', stderr: '' });
});

test('output into a pipe that is closed early is no failure', async () => {
  const many = Array.from({ length: 20_000 }, (_, index) => ({ id: `id-${index}`, name: 'x'.repeat(50) }));
  await using server = await startFakeApi(() => undefined);
  await using home = await makeHome(server.url);
  await using big = await startFakeApi((call) =>
    call.command === 'listZones' ? { answer: { count: many.length, zone: many } } : undefined,
  );
  const main = new URL('./main.ts', import.meta.url).pathname;
  const { stdout, stderr, code } = await runProgramTo(
    'bash',
    ['-c', 'set -o pipefail; "$0" "$1" list zones | head -n 1', process.execPath, main],
    { environment: { ...home.environment, MILLRACE_URL: big.url } },
  );
  assert.deepEqual([code, stdout.startsWith('ID'), stderr], [0, true, '']);
});
