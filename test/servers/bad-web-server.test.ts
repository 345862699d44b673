import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { spawnProgram } from '@millrace/core';
import {
  type BadWebServerOptions,
  type RequestRecord,
  repeatedBytes,
  startBadWebServer,
} from './bad-web-server.ts';
import { faultOf, faults } from './faults.ts';
import { rawClient } from './raw-client.ts';

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

test('closing the server leaves nothing open, whatever each fault is about to do, with and without a range', async () => {
  await using server = await startBadWebServer({ files: { x: content } });
  const stop = new AbortController();
  const asked = Object.keys(faults).flatMap((name) => {
    const segment = name.replace('%', '1');
    assert.ok(faultOf(segment), segment);
    return [{}, { range: 'bytes=100-' }].map((headers) =>
      fetch(server.url(segment, 'x'), { headers, redirect: 'manual', signal: stop.signal })
        .then((response) => response.arrayBuffer())
        .catch(() => {}),
    );
  });
  while (server.requests().length < asked.length) await sleep(10);
  await server.close();
  stop.abort();
  await Promise.all(asked);
});

test('pipelined requests are answered in their order, and one that waits counts as not begun', async () => {
  await using server = await startBadWebServer({ files: { x: content } });
  await using client = await rawClient(server.port);
  const ask = (first: number) => ({
    path: '/slow/x?rate=20000',
    headers: { range: `bytes=${first}-${first + 1999}` },
  });
  client.ask(ask(0), ask(2000));
  await client.until('bytes 0-1999');
  assert.equal(server.requests()[1]?.bytesSent, 0);
  const received = await client.until('6789', 400);
  assert.deepEqual(
    received.split('HTTP/1.1 ').map((answer) => /content-range: (.*)\r\n/.exec(answer)?.[1]),
    [undefined, 'bytes 0-1999/10000', 'bytes 2000-3999/10000'],
  );
  assert.equal(repeatedBytes(server.requests()), 0);
  assert.deepEqual(
    server.requests().map(({ range, from, connection }) => [range, from, connection]),
    [
      ['bytes=0-1999', 0, 1],
      ['bytes=2000-3999', 2000, 1],
    ],
  );
  client.ask(ask(1000));
  await client.until('6789', 600);
  assert.equal(repeatedBytes(server.requests()), 2000);
});

test('rates hold for the whole server and for each connection', async () => {
  const seconds = async (options: BadWebServerOptions) => {
    await using server = await startBadWebServer({ files: { x: content }, ...options });
    const started = performance.now();
    const answers = await Promise.all([1, 2].map(() => fetch(server.url('ok', 'x'))));
    await Promise.all(answers.map((answer) => answer.arrayBuffer()));
    return (performance.now() - started) / 1000;
  };
  // 50 ms are let through at once: what is left takes its time
  assert.ok((await seconds({ bytesPerSecond: 100_000 })) > 0.14);
  assert.ok((await seconds({ bytesPerSecondPerConnection: 100_000 })) > 0.04);
});

test('a server that is busy enough answers 503, and says how busy it was', async () => {
  await using server = await startBadWebServer({ files: { x: content }, maxActive: 1 });
  const first = await fetch(server.url('stall-at-50', 'x'));
  const second = await fetch(server.url('ok', 'x'));
  assert.deepEqual([second.status, second.headers.get('retry-after')], [503, '1']);
  await first.body?.cancel();
  let third = await fetch(server.url('ok', 'x'));
  while (third.status === 503) third = await fetch(server.url('ok', 'x'));
  assert.equal(third.status, 200);
  assert.equal(server.mostActive(), 2);
  server.forget();
  assert.deepEqual([server.requests(), server.mostActive()], [[], 0]);
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
