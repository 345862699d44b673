import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createSecretKeys, readSecretKeys, sealedPrefix, secretKeys } from './secret-keys.ts';

test('a sealed text tells nothing, differs each time, and opens again', () => {
  const keys = secretKeys([randomBytes(32)]);
  const sealed = keys.seal('https://ada:geheim@images.example/ü.qcow2');
  assert.ok(sealed.startsWith(keys.current) && !sealed.includes('geheim'));
  assert.notEqual(sealed, keys.seal('https://ada:geheim@images.example/ü.qcow2'));
  assert.equal(keys.unseal(sealed), 'https://ada:geheim@images.example/ü.qcow2');
  assert.equal(keys.unseal(keys.seal('')), '');
});

test('JSON comes back as what it says, and text that looks like JSON as text', () => {
  const keys = secretKeys([randomBytes(32)]);
  assert.deepEqual(keys.unseal(keys.seal('{"password":"p"}', 'json')), { password: 'p' });
  assert.equal(keys.unseal(keys.seal('{"password":"p"}')), '{"password":"p"}');
});

test('every changed byte of a sealed text is noticed, also of what kind it is', () => {
  const keys = secretKeys([randomBytes(32)]);
  const sealed = keys.seal('secret', 'text');
  const content = Buffer.from(sealed.slice(sealed.lastIndexOf(':') + 1), 'base64url');
  for (let at = 0; at < content.length; at++) {
    const changed = Buffer.from(content);
    changed[at]! ^= 1;
    const text = `${keys.current}text:${changed.toString('base64url')}`;
    assert.throws(() => keys.unseal(text), { code: 'SECRET_DAMAGED' }, `byte ${at}`);
  }
  assert.throws(() => keys.unseal(sealed.replace(':text:', ':json:')), { code: 'SECRET_DAMAGED' });
  assert.throws(() => keys.unseal(`${keys.current}text:`), { code: 'SECRET_DAMAGED' });
});

test('a text that none of the keys has sealed stays as it is', () => {
  const keys = secretKeys([randomBytes(32)]);
  for (const text of [
    '',
    'plain',
    sealedPrefix,
    `${sealedPrefix}x:text:AAAA`,
    secretKeys([randomBytes(32)]).seal('s'),
  ])
    assert.equal(keys.unseal(text), text);
});

test('the first key seals, the others open what they have sealed', () => {
  const [old, next] = [randomBytes(32), randomBytes(32)] as const;
  const both = secretKeys([next, old]);
  assert.equal(both.unseal(secretKeys([old]).seal('kept')), 'kept');
  assert.equal(secretKeys([next]).unseal(both.seal('new')), 'new');
  assert.notEqual(secretKeys([old]).unseal(both.seal('new')), 'new');
});

async function directoryOf(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-keys-'));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

test('a key file is made for its owner alone, and read again', async (t) => {
  const path = join(await directoryOf(t), 'sub', 'secret.key');
  assert.equal(await readSecretKeys(path), undefined);
  const made = await createSecretKeys(path);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await readSecretKeys(path))?.unseal(made.seal('text')), 'text');
});

test('a key file that cannot be used says why', async (t) => {
  const path = join(await directoryOf(t), 'secret.key');
  const refused = async (content: string, rule: RegExp) => {
    await writeFile(path, content, { mode: 0o600 });
    await assert.rejects(readSecretKeys(path), { code: 'SECRET_KEY_UNUSABLE', message: rule });
  };
  await refused('', /holds no key/);
  await refused('# a comment alone\n', /holds no key/);
  await refused(`${randomBytes(16).toString('base64')}\n`, /32 bytes in base64/);
  await refused(`${randomBytes(32).toString('base64')}\nrubbish\n`, /32 bytes in base64/);
  await writeFile(path, `# first\n${randomBytes(32).toString('base64')} # its note\n`);
  await chmod(path, 0o644);
  await assert.rejects(readSecretKeys(path), {
    code: 'SECRET_KEY_UNUSABLE',
    message: /everybody.*chmod 600/,
  });
  await chmod(path, 0o640);
  assert.ok(await readSecretKeys(path));
  assert.match(await readFile(path, 'utf8'), /# first/);
});
