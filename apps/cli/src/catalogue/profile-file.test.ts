import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../failures.ts';
import { makeCatalogueCache } from './cache.ts';
import { configPath, statePath } from './paths.ts';
import { readProfiles, writeProfile } from './profile-file.ts';

const { signal } = new AbortController();

async function temporaryDirectory() {
  const path = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

test('a first profile is written for its owner alone and becomes the current one', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'deep', 'config.json');
  await writeProfile(path, { name: 'prod', settings: { url: 'http://h/client/api', apikey: 'a' } }, signal);
  assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), {
    current: 'prod',
    profiles: { prod: { url: 'http://h/client/api', apikey: 'a' } },
  });
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await stat(join(directory.path, 'deep'))).mode & 0o777, 0o700);
  assert.deepEqual(await readdir(join(directory.path, 'deep')), ['config.json']);
});

test('writing a profile keeps its other settings, the other profiles and the current one', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'config.json');
  await writeProfile(path, { name: 'one', settings: { url: 'u1', output: 'json' } }, signal);
  await writeProfile(path, { name: 'two', settings: { url: 'u2' } }, signal);
  await writeProfile(path, { name: 'one', settings: { secretkey: 's', output: '' } }, signal);
  assert.deepEqual(await readProfiles(path, signal), {
    current: 'one',
    profiles: { one: { url: 'u1', secretkey: 's' }, two: { url: 'u2' } },
  });
  await writeProfile(path, { name: 'two', settings: {}, makeCurrent: true }, signal);
  assert.equal((await readProfiles(path, signal)).current, 'two');
});

test('a file that others could read is closed to them when it is written again', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'config.json');
  await writeFile(path, '{}');
  await chmod(path, 0o644);
  await writeProfile(path, { name: 'a', settings: { secretkey: 's' } }, signal);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test('no file is no profile, a broken one is told by its path', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'config.json');
  assert.deepEqual(await readProfiles(path, signal), { current: 'local', profiles: {} });
  for (const text of ['{', '[]']) {
    await writeFile(path, text);
    await assert.rejects(
      readProfiles(path, signal),
      (error) => error instanceof UsageError && error.message.includes(path),
    );
  }
  await writeFile(path, '{"profiles": {"a": {"url": 7, "apikey": {}}, "b": 3}}');
  assert.deepEqual(await readProfiles(path, signal), { current: 'local', profiles: { a: { url: '7' } } });
});

test('paths come from the environment, then from the home directory', () => {
  assert.equal(configPath({ MILLRACE_CONFIG: '/c.json', HOME: '/h' }), '/c.json');
  assert.equal(configPath({ XDG_CONFIG_HOME: '/x', HOME: '/h' }), '/x/millrace/config.json');
  assert.equal(configPath({ HOME: '/h' }), '/h/.config/millrace/config.json');
  assert.equal(statePath({ HOME: '/h' }), '/h/.local/state/millrace');
  assert.equal(statePath({ MILLRACE_STATE_DIR: '/s', HOME: '/h' }), '/s');
});

test('a catalogue is kept per profile, server and caller; a broken file counts as none', async () => {
  await using directory = await temporaryDirectory();
  const cache = makeCatalogueCache(directory.path);
  const key = { profile: '../up', url: 'http://a', identity: 'k' };
  const apis = [{ name: 'listZones', isasync: false, description: 'd', params: [], response: [] }];
  assert.equal(await cache.load(key, signal), undefined);
  await cache.save(key, apis, signal);
  assert.deepEqual(await cache.load(key, signal), apis);
  assert.equal(await cache.load({ ...key, url: 'http://b' }, signal), undefined);
  assert.equal(await cache.load({ ...key, identity: 'other' }, signal), undefined);
  const [file] = await readdir(join(directory.path, 'catalogue'));
  await writeFile(join(directory.path, 'catalogue', file!), '{"url": "http://a", "api": [');
  assert.equal(await cache.load(key, signal), undefined);
});
