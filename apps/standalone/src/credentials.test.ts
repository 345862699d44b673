import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { forgetPassword, loadCredentials } from './credentials.ts';

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-credentials-'));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

test('credentials are made once, long, different, and readable by their owner alone', async (t) => {
  const directory = await scratch(t);
  const first = await loadCredentials(directory);
  assert.deepEqual(await loadCredentials(directory), first);
  assert.ok(first.password!.length >= 20);
  assert.ok(first.secretKey.length >= 64);
  assert.notEqual(first.apiKey, first.secretKey);
  assert.equal((await stat(join(directory, 'first-start.json'))).mode & 0o777, 0o600);
});

test('the password is gone from the file once it has been shown, the keys stay', async (t) => {
  const directory = await scratch(t);
  const { password, ...keys } = await loadCredentials(directory);
  await forgetPassword(directory, keys);
  assert.deepEqual(await loadCredentials(directory), keys);
  assert.ok(!(await readFile(join(directory, 'first-start.json'), 'utf8')).includes(password!));
});

test('a damaged file is told, not replaced: its keys are in the database', async (t) => {
  const directory = await scratch(t);
  for (const text of ['', '{', '[]', '{"apiKey": "a"}']) {
    await writeFile(join(directory, 'first-start.json'), text);
    await assert.rejects(loadCredentials(directory), /damaged/);
  }
});
