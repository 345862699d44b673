import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { addProfile, offerProfile, profileFile, removeProfile, withdrawProfile } from './cli-profile.ts';

const settings = { url: 'http://127.0.0.1:8080/client/api', apikey: 'key', secretkey: 'secret' };

function added(text: string | undefined, own = settings): Record<string, unknown> {
  const result = addProfile(text, own);
  assert.ok(typeof result === 'object');
  return JSON.parse(result.text) as Record<string, unknown>;
}

test('without a file the profile becomes the only and the current one', () => {
  assert.deepEqual(added(undefined), { current: 'local', profiles: { local: settings } });
});

test('other profiles, their being current, and unknown members stay', () => {
  const text = JSON.stringify({ current: 'prod', theme: 'dark', profiles: { prod: { url: 'u' } } });
  assert.deepEqual(added(text), {
    current: 'prod',
    theme: 'dark',
    profiles: { prod: { url: 'u' }, local: settings },
  });
});

test('a current profile that does not exist gives way', () => {
  assert.equal(added(JSON.stringify({ current: 'gone', profiles: {} }))['current'], 'local');
});

test('a profile named local that belongs to something else is left alone, and so is a file that is no JSON', () => {
  assert.equal(
    addProfile(JSON.stringify({ profiles: { local: { url: 'x', apikey: 'other' } } }), settings),
    'taken',
  );
  assert.equal(addProfile('{ broken', settings), 'taken');
});

test('the own profile is unchanged, or moved with its port', () => {
  const text = profileFile({ ...settings });
  assert.equal(addProfile(text, settings), 'unchanged');
  const moved = { ...settings, url: 'http://127.0.0.1:9090/client/api' };
  assert.deepEqual(added(text, moved)['profiles'], { local: moved });
});

test('a profile with old keys for the same address gives way', () => {
  const old = profileFile({ ...settings, apikey: 'old', secretkey: 'old' });
  assert.deepEqual(added(old)['profiles'], { local: settings });
});

test('only the own profile is removed, and another one becomes current', () => {
  const both = JSON.stringify({ current: 'local', profiles: { local: settings, prod: { url: 'u' } } });
  const result = removeProfile(both, 'key');
  assert.deepEqual(JSON.parse(result!.text), { current: 'prod', profiles: { prod: { url: 'u' } } });
  assert.equal(removeProfile(both, 'other'), undefined);
  assert.equal(removeProfile('{ broken', 'key'), undefined);
});

test('the profile is written for its owner alone, and taken out again', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'millrace-home-'));
  t.after(() => rm(home, { recursive: true }));
  const signal = AbortSignal.timeout(30_000);
  const user = { home, uid: process.getuid!(), gid: process.getgid!() };
  const offered = await offerProfile(user, settings, signal);
  assert.deepEqual(offered, { added: true, path: join(home, '.config/millrace/config.json') });
  assert.equal(await readFile(offered.path, 'utf8'), profileFile(settings));
  assert.equal((await stat(offered.path)).mode & 0o777, 0o600);
  assert.equal(await withdrawProfile(user, 'key', signal), true);
  assert.equal(await withdrawProfile(user, 'key', signal), false);
  assert.deepEqual(JSON.parse(await readFile(offered.path, 'utf8')), { profiles: {} });
});
