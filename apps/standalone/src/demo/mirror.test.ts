import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { readRange, startMirror } from './mirror.ts';

async function mirrorOf(t: TestContext, files: Record<string, Buffer>, bytesPerSecond = 1e9) {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-mirror-'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
  const mirror = await startMirror({ directory, port: 0, bytesPerSecond });
  t.after(async () => {
    await mirror.close();
    await rm(directory, { recursive: true });
  });
  return { directory, mirror, url: (path: string) => `http://127.0.0.1:${mirror.port}/${path}` };
}

const content = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251));

test('a file is served whole and in ranges, with a validator', async (t) => {
  const { url } = await mirrorOf(t, { 'a.bin': content });
  const whole = await fetch(url('a.bin'));
  assert.equal(whole.status, 200);
  assert.match(whole.headers.get('etag')!, /^"[0-9a-f-]+"$/);
  assert.deepEqual(Buffer.from(await whole.arrayBuffer()), content);
  const part = await fetch(url('a.bin'), { headers: { range: 'bytes=100000-100009' } });
  assert.equal(part.status, 206);
  assert.equal(part.headers.get('content-range'), 'bytes 100000-100009/200000');
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), content.subarray(100_000, 100_010));
  const beyond = await fetch(url('a.bin'), { headers: { range: 'bytes=200000-' } });
  assert.equal(beyond.status, 416);
  const head = await fetch(url('a.bin'), { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), '200000');
});

test('nothing outside the directory is served', async (t) => {
  const { url } = await mirrorOf(t, { 'a.bin': content });
  for (const path of ['', 'b.bin', '..%2f..%2fetc%2fpasswd', '%2fetc%2fpasswd']) {
    const response = await fetch(url(path));
    assert.equal(response.status, 404, path);
    await response.arrayBuffer();
  }
});

test('a transfer takes the time that its rate demands', async (t) => {
  const { url } = await mirrorOf(t, { 'a.bin': content }, 500_000);
  const begun = performance.now();
  await (await fetch(url('a.bin'))).arrayBuffer();
  const elapsed = performance.now() - begun;
  assert.ok(elapsed > 200, `${elapsed} ms for 0.4 s worth of bytes`);
});

test('another port is taken when the preferred one is in use', async (t) => {
  const { mirror, directory } = await mirrorOf(t, {});
  const second = await startMirror({ directory, port: mirror.port, bytesPerSecond: 1e9 });
  assert.notEqual(second.port, mirror.port);
  await second.close();
});

test('ranges are read as the standard says', () => {
  assert.equal(readRange(undefined, 10), undefined);
  assert.equal(readRange('bytes=-', 10), undefined);
  assert.equal(readRange('lines=1-2', 10), undefined);
  assert.equal(readRange('bytes=5-2', 10), undefined);
  assert.deepEqual(readRange('bytes=2-', 10), { first: 2, last: 9 });
  assert.deepEqual(readRange('bytes=2-99', 10), { first: 2, last: 9 });
  assert.deepEqual(readRange('bytes=-4', 10), { first: 6, last: 9 });
  assert.equal(readRange('bytes=10-', 10), 'unsatisfiable');
  assert.equal(readRange('bytes=-0', 10), 'unsatisfiable');
});
