import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { silentLogger, spawnProgram } from '@millrace/core';
import { startCeph } from '../../../../test/lab/ceph.ts';
import { startBadWebServer } from '../../../../test/servers/bad-web-server.ts';
import { fetchImage } from '../fetch-image.ts';
import { requestFor, temporaryDirectory } from '../testing/request.ts';
import { rbdImages, rbdPartialPrefix } from './rbd-images.ts';
import { type RbdPool, runCeph } from './rbd-pool.ts';
import { isResumable } from './rbd-resume.ts';
import { rbdSink } from './rbd-sink.ts';

const { signal } = new AbortController();
const ceph = await startCeph('127.0.0.3');
after(() => ceph[Symbol.asyncDispose]());
const pool: RbdPool = { monitors: [ceph.monitor], pool: ceph.pool, user: ceph.user, secret: ceph.secret };
const images = rbdImages(pool, signal);

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 90_000;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, what);
    await delay(200);
  }
}

test('what a killed writer had noted is taken over once, and by nobody who wants something else', async () => {
  const script = fileURLToPath(new URL('../testing/write-into-rbd.ts', import.meta.url));
  const child = spawnProgram(process.execPath, [script], { signal, stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(child, 'close');
  const resume = { identity: 'these bytes', segmentBytes: 1_048_576 };
  const expected = { resume, sizeBytes: 20_000_000 };
  child.stdin?.end(JSON.stringify({ pool, image: 'template', resume }));
  await once(child.stdout!, 'data');
  const [left = ''] = await images.list();
  assert.ok(left.startsWith(`${rbdPartialPrefix}template.`));
  await until('its notes are not written', () => isResumable(images, left, 60_000));
  // as long as it lives it is nobody else's
  const beside = await rbdSink({ pool, image: 'template' }).open(signal, expected);
  assert.deepEqual(beside.kept, []);
  await beside.abort();
  child.kill('SIGKILL');
  await exit;
  await until('its image stays open', async () => !(await images.isOpen(left)));
  const image = await rbdSink({ pool, image: 'template' }).open(signal, expected);
  assert.deepEqual(image.kept, [0, 2, 5]);
  assert.ok((await image.read(0, 1_048_576)).some((byte) => byte !== 0));
  await image.note(7);
  assert.equal(await image.suspend(), 4 * 1_048_576);
  const other = { ...expected, resume: { ...resume, identity: 'other bytes' } };
  const anew = await rbdSink({ pool, image: 'template' }).open(signal, other);
  assert.deepEqual(anew.kept, []);
  await anew.abort();
  assert.deepEqual(await images.list(), []);
});

test('a transfer that was cancelled goes on with what it had, and what comes of it is whole', async () => {
  const content = randomBytes(48 * 1024 ** 2);
  await using server = await startBadWebServer({ files: { image: content }, bytesPerSecond: 12_000_000 });
  const request = requestFor(server.url('ok', 'image'), { format: 'raw', storeFormat: 'raw' });
  const cancelled = new AbortController();
  const fetching = fetchImage(request, rbdSink({ pool, image: 'template' }), {
    signal: cancelled.signal,
    log: silentLogger,
    keepPartial: true,
    onProgress: ({ bytes }) => {
      if (bytes > content.length / 2) cancelled.abort(new Error('the agent ends'));
    },
  });
  await assert.rejects(fetching, /the agent ends/);
  const again = { signal, log: silentLogger, keepPartial: true };
  const fetched = await fetchImage(request, rbdSink({ pool, image: 'template' }), again);
  assert.ok((fetched.resumedBytes ?? 0) > content.length / 4, `${fetched.resumedBytes} bytes were kept`);
  assert.deepEqual(await images.list(), ['template']);
  await using directory = await temporaryDirectory();
  const out = join(directory.path, 'out');
  await runCeph(pool, 'rbd', ['export', '--no-progress', `${pool.pool}/template`, out], signal);
  assert.ok((await readFile(out)).equals(content));
  await images.remove('template');
});
