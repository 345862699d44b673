import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLogger } from '@millrace/core';
import { type Grant, grantKey, openGrant, sealGrant } from './grant.ts';
import { type ImageServer, startImageServer } from './image-server.ts';

const image = randomBytes(3_000_000);
const pool = {
  uuid: '9b2f2c0e-58a4-4d53-a5a0-9d0a8b1b7f10',
  type: 'SharedMountPoint',
  path: '/elsewhere/images',
} as const;
const key = grantKey('-----BEGIN PRIVATE KEY-----\nof a test\n');
let directory: string;
let server: ImageServer;
let base: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-images-'));
  await writeFile(join(directory, 'a.qcow2'), image);
  await writeFile(join(directory, '.a.qcow2.partial'), image);
  server = await startImageServer({
    listen: '127.0.0.1:0',
    publicUrl: undefined,
    key,
    resolve: async (named) => ({ ...named, path: directory }),
    log: silentLogger,
  });
  base = server.urls([]).hostUrl;
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const granting = (changes: Partial<Grant> = {}) =>
  base +
  server.grant({
    pool,
    installPath: 'a.qcow2',
    name: 'Größe’s.qcow2',
    expires: Date.now() + 60_000,
    ...changes,
  });

test('who has the link gets the image, under its own name', async () => {
  const answer = await fetch(granting());
  assert.equal(answer.status, 200);
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), image);
  const saved = answer.headers.get('content-disposition')!;
  assert.equal(decodeURIComponent(saved.replace("attachment; filename*=UTF-8''", '')), 'Größe’s.qcow2');
});

test('parts can be asked for, and one that lies behind the end is refused', async () => {
  const part = await fetch(granting(), { headers: { range: 'bytes=1000000-1999999' } });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get('content-range'), 'bytes 1000000-1999999/3000000');
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), image.subarray(1_000_000, 2_000_000));
  const behind = await fetch(granting(), { headers: { range: 'bytes=3000000-' } });
  assert.equal(behind.status, 416);
  assert.equal(behind.headers.get('content-range'), 'bytes */3000000');
});

test('an expired link, a changed one and one of another host open nothing', async () => {
  assert.equal((await fetch(granting({ expires: Date.now() - 1 }))).status, 410);
  const link = granting();
  const at = link.indexOf('grant=') + 60;
  const changed = link.slice(0, at) + (link[at] === 'A' ? 'B' : 'A') + link.slice(at + 1);
  assert.equal((await fetch(changed)).status, 404);
  const foreign = sealGrant(grantKey('another host'), {
    pool,
    installPath: 'a.qcow2',
    name: 'a',
    expires: Date.now() + 60_000,
  });
  assert.equal(openGrant(key, foreign), undefined);
  const paths = [
    `/image/a?grant=${foreign}`,
    '/',
    '/a.qcow2',
    '/image/a',
    `/image/a?grant=${'A'.repeat(50)}`,
  ];
  for (const path of paths) assert.equal((await fetch(base + path)).status, 404, path);
});

test('the link tells nothing of the store, and an image that is gone is not found', async () => {
  assert.ok(
    !Buffer.from(granting().split('grant=')[1]!, 'base64url').toString('latin1').includes('elsewhere'),
  );
  assert.equal((await fetch(granting({ installPath: 'b.qcow2' }))).status, 404);
});

test('nothing can be written', async () => {
  const answer = await fetch(granting(), { method: 'PUT', body: 'x' });
  assert.equal(answer.status, 405);
});
