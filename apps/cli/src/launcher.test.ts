import assert from 'node:assert/strict';
import { chown, copyFile, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgramTo } from './testing/run-main.ts';

const launcher = fileURLToPath(new URL('../../../bin/millrace', import.meta.url));

async function temporaryDirectory() {
  const path = await mkdtemp(join(tmpdir(), 'millrace-launcher-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** A project with nothing but the launcher, and programs that print who they are. */
async function makeProject(path: string): Promise<string> {
  await mkdir(join(path, 'bin'), { recursive: true });
  await copyFile(launcher, join(path, 'bin/millrace'));
  for (const program of ['cli', 'server', 'agent']) {
    await mkdir(join(path, 'apps', program, 'src'), { recursive: true });
    await writeFile(
      join(path, 'apps', program, 'src/main.ts'),
      `console.log(JSON.stringify(['${program}', ...process.argv.slice(2)]));`,
    );
  }
  return join(path, 'bin/millrace');
}

test('the launcher works through symbolic links, absolute and relative, and by its name in PATH', async () => {
  await using directory = await temporaryDirectory();
  await mkdir(join(directory.path, 'a b'));
  await symlink(launcher, join(directory.path, 'a b/absolute'));
  await symlink('a b/absolute', join(directory.path, 'millrace'));
  for (const file of [join(directory.path, 'a b/absolute'), join(directory.path, 'millrace')]) {
    const { code, stdout } = await runProgramTo(file, ['--version'], { cwd: directory.path });
    assert.deepEqual([code, stdout], [0, 'millrace 0.1.0\n']);
  }
  const environment = { PATH: `${directory.path}:${process.env['PATH']}` };
  const { stdout } = await runProgramTo('millrace', ['version'], { environment });
  assert.equal(stdout, 'millrace 0.1.0\n');
});

test('server and agent start the daemons, everything else the client, with arguments as they are', async () => {
  await using directory = await temporaryDirectory();
  const file = await makeProject(join(directory.path, 'pro ject'));
  const environment = { PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
  for (const [argv, expected] of [
    [
      ['server', '--x', 'a b'],
      ['server', '--x', 'a b'],
    ],
    [
      ['agent', 'join', "it's"],
      ['agent', 'join', "it's"],
    ],
    [
      ['list', 'zones', 'name=$HOME *'],
      ['cli', 'list', 'zones', 'name=$HOME *'],
    ],
    [[], ['cli']],
  ] as const) {
    const { stdout, stderr } = await runProgramTo(file, argv, { environment });
    assert.equal(stderr, '');
    assert.deepEqual(JSON.parse(stdout), expected);
  }
});

test('without Node 24 the launcher says how to get it', async () => {
  await using directory = await temporaryDirectory();
  const file = await makeProject(directory.path);
  const programs = join(directory.path, 'programs');
  await mkdir(programs);
  await writeFile(join(programs, 'node'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  const { code, stderr } = await runProgramTo(file, ['--version'], {
    environment: { PATH: `${programs}:/usr/bin:/bin` },
  });
  assert.equal(code, 1);
  assert.match(stderr, /Node 24 is missing.*npm ci/);
});

test('help for the daemons tells their settings and starts nothing', async () => {
  for (const [program, setting] of [
    ['server', /DATABASE_URL/],
    ['agent', /MILLRACE_SERVER_URL/],
  ] as const) {
    const { code, stdout, stderr } = await runProgramTo(launcher, [program, '--help'], {});
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, setting);
  }
});

test('compiled code is kept in the state directory once there is one', async () => {
  await using directory = await temporaryDirectory();
  const state = join(directory.path, 'state');
  const run = () => runProgramTo(launcher, ['version'], { environment: { MILLRACE_STATE_DIR: state } });
  assert.equal((await run()).code, 0);
  assert.deepEqual(await readdir(directory.path), []);
  await mkdir(state);
  assert.equal((await run()).code, 0);
  assert.deepEqual(await readdir(state), ['compile-cache']);
});

test('compiled code is neither kept in nor taken from a directory of somebody else', {
  skip: process.getuid?.() === 0 ? false : 'needs root, to give a directory away',
}, async () => {
  await using directory = await temporaryDirectory();
  await chown(directory.path, 65534, 65534);
  const environment = { MILLRACE_STATE_DIR: directory.path };
  assert.equal((await runProgramTo(launcher, ['version'], { environment })).code, 0);
  assert.deepEqual(await readdir(directory.path), []);
});
