import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram, spawnProgram } from '@millrace/core';
import { makeCertificateRequest } from './join/certificate-request.ts';
import { openStateDir, storeIdentity } from './state/identity.ts';
import { makeTestAuthority } from './testing/authority.ts';

/** The real process, as far as it goes without libvirt and a server. */

const { signal } = new AbortController();
const hostUuid = 'b2a0b1f4-5d5a-4a5f-9d5e-0a1b2c3d4e5f';
const token = `mlr1.abcdefgh.${'x'.repeat(24)}.${'0'.repeat(64)}`;
let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-agent-'));
});
after(() => rm(directory, { recursive: true }));

function start(env: Record<string, string>, argv: readonly string[] = []) {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const child = spawnProgram(process.execPath, [main, ...argv], {
    signal,
    stdio: ['pipe', 'pipe', 'pipe'],
    env,
  });
  const outcome = Promise.all([once(child, 'exit'), text(child.stdout!), text(child.stderr!)]);
  return {
    child,
    ended: outcome.then(([[code], stdout, stderr]) => ({ code: code as number | null, stdout, stderr })),
  };
}

test('an unusable configuration ends the agent with every problem on standard error', async () => {
  const { code, stderr } = await start({ MILLRACE_AGENT_DIR: 'agent', MILLRACE_SERVER_URL: 'nowhere' }).ended;
  assert.equal(code, 2);
  assert.match(stderr, /MILLRACE_AGENT_DIR: must be an absolute path/);
  assert.match(stderr, /MILLRACE_SERVER_URL: /);
});

test('a host that has not joined and has no token says what to do, and its state directory is closed to others', async () => {
  const stateDir = join(directory, 'fresh');
  const { code, stdout } = await start({ MILLRACE_AGENT_DIR: stateDir }).ended;
  assert.equal(code, 2);
  const line = JSON.parse(stdout.trim().split('\n').at(-1)!);
  assert.equal(line.level, 'error');
  assert.match(line.reason, /has not joined a server.*MILLRACE_JOIN_TOKEN/);
  assert.equal((await stat(stateDir)).mode & 0o777, 0o700);
});

test('a host whose certificate has ended says so', async () => {
  const stateDir = join(directory, 'expired');
  await openStateDir(stateDir);
  const authority = await makeTestAuthority();
  const { privateKey, certificateRequest } = await makeCertificateRequest('host-1');
  const certificate = await authority.issueHost(certificateRequest, hostUuid, -1);
  await storeIdentity(stateDir, { hostUuid, privateKey, certificate, caCertificate: authority.certificate });
  const { code, stdout } = await start({ MILLRACE_AGENT_DIR: stateDir }).ended;
  assert.equal(code, 2);
  assert.match(stdout, /the certificate of this host ended on \d{4}-/);
});

test('the agent stops in order on SIGTERM, and when the program that started it is gone; no secret is logged', async () => {
  for (const how of ['signal', 'stdin'] as const) {
    const { child, ended } = start({
      MILLRACE_AGENT_DIR: join(directory, how),
      // a port where nobody listens: it tries to join until it is stopped
      MILLRACE_SERVER_URL: 'https://127.0.0.1:9',
      MILLRACE_JOIN_TOKEN: token,
      MILLRACE_EXIT_WITH_STDIN: '1',
    });
    await once(child.stdout!, 'readable');
    if (how === 'signal') child.kill('SIGTERM');
    else child.stdin!.end();
    const { code, stdout } = await ended;
    assert.equal(code, 0, stdout);
    assert.match(stdout, /cannot join yet/);
    assert.doesNotMatch(stdout, /x{24}/);
  }
});

test('a wrong command line ends with the rule and the help, and sends nothing', async () => {
  for (const [argv, rule] of [
    [['join'], /join needs the URL of a server/],
    [['join', 'https://10.0.0.5:8250'], /join needs --token: addHost/],
    [['jion'], /has no command jion/],
    [['check', '--yaml'], /--yaml/],
  ] as const) {
    const { code, stderr } = await start({ MILLRACE_AGENT_DIR: directory }, argv).ended;
    assert.equal(code, 2);
    assert.match(stderr, rule);
    assert.match(stderr, /millrace agent check/);
  }
});

test('check tells line by line what the machine has and lacks, each with a fix, as text and as JSON', async () => {
  const env = {
    MILLRACE_AGENT_DIR: join(directory, 'never-made'),
    MILLRACE_SERVER_URL: 'https://127.0.0.1:9',
    MILLRACE_LIBVIRT_URI: 'qemu+unix:///system?socket=/nowhere',
    MILLRACE_SHARED_PATHS: directory,
    PATH: process.env['PATH'] ?? '',
  };
  const printed = await start(env, ['check', '--json']).ended;
  assert.equal(printed.code, 2, printed.stderr);
  const { able, joined, findings } = JSON.parse(printed.stdout) as {
    able: boolean;
    joined: unknown;
    findings: { what: string; state: string; says: string; fix?: string }[];
  };
  assert.deepEqual([able, joined], [false, null]);
  const stateOf = (what: string) => findings.find((finding) => finding.what === what)?.state;
  assert.deepEqual(['virsh', 'qemu-img', 'libvirt', 'server', 'shared', 'pool'].map(stateOf), [
    'ok',
    'ok',
    'missing',
    'missing',
    'missing',
    'warning',
  ]);
  for (const { state, fix, what } of findings) assert.equal(state !== 'ok', fix !== undefined, what);
  const { stdout } = await start(env, ['check']).ended;
  assert.match(stdout, /✘ server +https:\/\/127\.0\.0\.1:9: .*ECONNREFUSED.*\n +→ see that the server runs/);
  assert.match(stdout, /This machine has not joined: millrace agent join/);
  await assert.rejects(stat(env.MILLRACE_AGENT_DIR), { code: 'ENOENT' }, 'looking changes nothing');
});

test('asked for its version it tells it and does nothing else', async () => {
  const { stdout } = await runProgram(
    process.execPath,
    [fileURLToPath(new URL('main.ts', import.meta.url)), '--version'],
    {
      signal: AbortSignal.timeout(30_000),
    },
  );
  assert.match(stdout, /^millrace agent \d+\.\d+\.\d+\n$/);
});
