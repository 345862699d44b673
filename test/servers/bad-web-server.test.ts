import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { spawnProgram } from '@millrace/core';
import { type RequestRecord, startBadWebServer } from './bad-web-server.ts';
import { faultOf, faults } from './faults.ts';

const content = Buffer.from('0123456789'.repeat(1000));

test('a file is served whole, in ranges, and every request is recorded with its bytes', async () => {
  await using server = await startBadWebServer({ files: { x: content } });
  const whole = await fetch(server.url('ok', 'x'), { headers: { 'x-test': 'yes' } });
  assert.deepEqual(Buffer.from(await whole.arrayBuffer()), content);
  const range = await fetch(server.url('ok', 'x'), { headers: { range: 'bytes=10-19' } });
  assert.equal(range.status, 206);
  assert.equal(range.headers.get('content-range'), 'bytes 10-19/10000');
  assert.equal(await range.text(), '0123456789');
  assert.deepEqual(
    server.requests().map(({ method, path, status, bytesSent }) => ({ method, path, status, bytesSent })),
    [
      { method: 'GET', path: '/ok/x', status: 200, bytesSent: 10_000 },
      { method: 'GET', path: '/ok/x', status: 206, bytesSent: 10 },
    ],
  );
  assert.equal(server.requests()[0]?.headers['x-test'], 'yes');
  assert.equal(server.bytesSent('/ok/'), 10_010);
});

test('a corrupt byte is where it should be, in a range as in the whole', async () => {
  await using server = await startBadWebServer({ files: { x: content } });
  const wrong = Buffer.from(content);
  wrong[5000]! ^= 1;
  const whole = Buffer.from(await (await fetch(server.url('corrupt', 'x'))).arrayBuffer());
  assert.deepEqual(whole, wrong);
  const range = await fetch(server.url('corrupt', 'x'), { headers: { range: 'bytes=4990-5009' } });
  assert.deepEqual(Buffer.from(await range.arrayBuffer()), wrong.subarray(4990, 5010));
  const again = Buffer.from(await (await fetch(server.url('ok', 'x'))).arrayBuffer());
  assert.deepEqual(again, content, 'the file itself stays as it is');
});

test('what does not exist is 404, and names do not lead out of the directory', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-served-'));
  try {
    await using server = await startBadWebServer({ directory });
    for (const path of ['/ok/x', '/no-such-fault/x', '/', '/ok/..%2F..%2F..%2F..%2Fetc%2Fpasswd']) {
      assert.equal((await fetch(`${server.origin}${path}`)).status, 404, path);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('every fault answers or breaks within a moment, and closing the server leaves nothing open', async () => {
  const server = await startBadWebServer({ files: { x: content } });
  for (const name of Object.keys(faults)) {
    const segment = name.replace('%', '50');
    assert.ok(faultOf(segment), segment);
    const signal = AbortSignal.timeout(400);
    await fetch(`${server.url(segment, 'x')}?rate=1000000`, { redirect: 'manual', signal })
      .then((response) => response.arrayBuffer())
      .catch(() => {});
  }
  assert.equal(server.requests().length, Object.keys(faults).length);
  await server.close();
});

test('as a program it prints its port as one JSON line and serves a directory and its requests', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-served-'));
  const stop = new AbortController();
  try {
    await writeFile(join(directory, 'image'), content);
    const script = fileURLToPath(new URL('main.ts', import.meta.url));
    const child = spawnProgram(process.execPath, [script, '--directory', directory], {
      signal: stop.signal,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.on('error', () => {});
    const lines = createInterface({ input: child.stdout! });
    const { value } = await lines[Symbol.asyncIterator]().next();
    const { port }: { port: number } = JSON.parse(String(value));
    const answer = await fetch(`http://127.0.0.1:${port}/ok/image`);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), content);
    const requests: unknown = await (await fetch(`http://127.0.0.1:${port}/_requests`)).json();
    assert.ok(Array.isArray(requests));
    const [first]: RequestRecord[] = requests;
    assert.deepEqual([first?.path, first?.bytesSent], ['/ok/image', content.length]);
  } finally {
    stop.abort();
    await rm(directory, { recursive: true });
  }
});
