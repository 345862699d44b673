import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep, spawnProgram } from '@millrace/core';
import { logTail, openLog, startChild } from './child-process.ts';

const signal = AbortSignal.timeout(60_000);
const wrapper = fileURLToPath(new URL('./keep-with-launcher.sh', import.meta.url));

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-child-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function processIsGone(pid: number): Promise<void> {
  for (;;) {
    try {
      // a dead process that nobody has collected yet is as good as gone
      if (/\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8'))) return;
    } catch {
      return;
    }
    await sleep(20, signal);
  }
}

test('a child writes to its log, tells how it ended, and has a session of its own', async (t) => {
  const path = join(await scratch(t), 'logs', 'part.log');
  await using log = await openLog(path);
  const program = 'console.log("hello"); console.error("trouble"); process.exitCode = 3';
  const child = startChild(
    { file: process.execPath, argv: ['-e', program] },
    { environment: {}, log, cwd: '/' },
  );
  assert.equal(await child.ended, 'exit code 3');
  assert.equal(await logTail(path), 'hello\ntrouble');
  assert.equal((await stat(path)).mode & 0o777, 0o600);

  const sleeper = startChild({ file: 'sleep', argv: ['60'] }, { environment: {}, log, cwd: '/' });
  for (;;) {
    const fields = (await readFile(`/proc/${sleeper.pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
    // session (proc(5), field 6) is the process itself once setsid has run
    if (Number(fields[3]) === sleeper.pid) break;
    await sleep(10, signal);
  }
  sleeper.kill('SIGTERM');
  assert.equal(await sleeper.ended, 'signal SIGTERM');
});

test('a program that is not there is an end with a reason', async (t) => {
  await using log = await openLog(join(await scratch(t), 'part.log'));
  const child = startChild({ file: '/no/such/program', argv: [] }, { environment: {}, log, cwd: '/' });
  assert.match(await child.ended, /exit code 127|could not be started/);
});

test('a kept program ends when the process that started it is killed', async (t) => {
  const directory = await scratch(t);
  const program = `
    const { openLog, startChild } = await import(process.argv[1]);
    const log = await openLog(process.argv[3]);
    const child = startChild({ file: 'sh', argv: [process.argv[2], 'sleep', '600'] }, { environment: {}, log, cwd: '/' });
    console.log(child.pid);
    setInterval(() => {}, 1000);`;
  const launcher = spawnProgram(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      program,
      new URL('./child-process.ts', import.meta.url).href,
      wrapper,
      join(directory, 'part.log'),
    ],
    { signal, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [chunk] = (await once(launcher.stdout!, 'data')) as [Buffer];
  const pid = Number(chunk.toString());
  for (;;) {
    if ((await readFile(`/proc/${pid}/cmdline`, 'utf8')).startsWith('sleep\0')) break;
    await sleep(10, signal);
  }
  launcher.kill('SIGKILL');
  await processIsGone(pid);
});

test('a kept program that ends by itself passes on its exit code and leaves no watcher', async (t) => {
  await using log = await openLog(join(await scratch(t), 'part.log'));
  const child = startChild(
    { file: 'sh', argv: [wrapper, process.execPath, '-e', 'process.exitCode = 5'] },
    { environment: {}, log, cwd: '/' },
  );
  assert.equal(await child.ended, 'exit code 5');
});

test('a log that has grown large is put aside at the next start', async (t) => {
  const directory = await scratch(t);
  const path = join(directory, 'part.log');
  await writeFile(path, 'old');
  await (await openLog(path)).close();
  assert.deepEqual(await readdir(directory), ['part.log']);
  await truncate(path, 11 * 1024 * 1024);
  await (await openLog(path)).close();
  assert.deepEqual((await readdir(directory)).sort(), ['part.log', 'part.log.1']);
  assert.equal((await stat(path)).size, 0);
});
