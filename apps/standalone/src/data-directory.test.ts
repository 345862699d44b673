import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type MillraceError, spawnProgram } from '@millrace/core';
import { openDataDirectory } from './data-directory.ts';

const signal = AbortSignal.timeout(60_000);

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-data-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const code = (expected: string) => (error: MillraceError) => error.code === expected;

test('a new data directory is closed to others and keeps its id', async (t) => {
  const path = join(await scratch(t), 'deep', 'var');
  const first = await openDataDirectory(path, { create: true, signal });
  assert.match(first.instanceId, /^[0-9a-f]{8}$/);
  assert.equal((await stat(path)).mode & 0o777, 0o700);
  await first.release();
  const second = await openDataDirectory(path, { create: false, signal });
  assert.equal(second.instanceId, first.instanceId);
  await second.release();
});

test('a second opening is refused and names the process that has it, until the first lets go', async (t) => {
  const path = await scratch(t);
  const first = await openDataDirectory(path, { create: true, signal });
  await assert.rejects(openDataDirectory(path, { create: true, signal }), (error: MillraceError) => {
    assert.equal(error.code, 'DATA_DIRECTORY_IN_USE');
    assert.match(error.message, new RegExp(`already running on .*process ${process.pid}`));
    return true;
  });
  await first.release();
  await (await openDataDirectory(path, { create: true, signal })).release();
});

test('a process that was killed holds nothing', async (t) => {
  const path = await scratch(t);
  const program = `
    const { openDataDirectory } = await import(process.argv[1]);
    await openDataDirectory(process.argv[2], { create: true, signal: AbortSignal.timeout(60000) });
    console.log('held');
    setInterval(() => {}, 1000);`;
  const child = spawnProgram(
    process.execPath,
    ['--input-type=module', '-e', program, new URL('./data-directory.ts', import.meta.url).href, path],
    { signal, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(child.stdout!, 'data');
  await assert.rejects(openDataDirectory(path, { create: true, signal }), code('DATA_DIRECTORY_IN_USE'));
  child.kill('SIGKILL');
  await once(child, 'close');
  await (await openDataDirectory(path, { create: true, signal })).release();
});

test('a directory that holds something else is refused and left as it is', async (t) => {
  const path = await scratch(t);
  await writeFile(join(path, 'thesis.txt'), '');
  await chmod(path, 0o755);
  await assert.rejects(openDataDirectory(path, { create: true, signal }), code('DATA_DIRECTORY_FOREIGN'));
  assert.equal((await stat(path)).mode & 0o777, 0o755);
});

test('a start that was cut short right at its beginning is taken up again', async (t) => {
  const path = await scratch(t);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'lock'), '');
  await (await openDataDirectory(path, { create: true, signal })).release();
});

test('without leave to make one, a missing directory is an error', async (t) => {
  const path = join(await scratch(t), 'none');
  await assert.rejects(openDataDirectory(path, { create: false, signal }), code('DATA_DIRECTORY_ABSENT'));
});
