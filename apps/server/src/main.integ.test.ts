import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { spawnProgram } from '@millrace/core';
import { withTestDatabase } from '../../../test/postgres.ts';

interface RunningServer {
  readonly port: number;
  readonly agentPort: number;
  readonly pid: number;
  readonly stdin: Writable;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<number | null>;
}

async function startServer(t: TestContext, env: Record<string, string>): Promise<RunningServer> {
  const controller = new AbortController();
  t.after(() => controller.abort());
  const child = spawnProgram(process.execPath, [fileURLToPath(new URL('./main.ts', import.meta.url))], {
    signal: controller.signal,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { MILLRACE_API_PORT: '0', MILLRACE_AGENT_PORT: '0', ...env },
  });
  child.on('error', () => {});
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const ready = Promise.withResolvers<{ port: number; agentPort: number }>();
  const lines = createInterface({ input: child.stdout as Readable });
  lines.on('line', (line) => {
    const entry = JSON.parse(line) as { ready?: boolean; port: number; agentPort: number };
    if (entry.ready) ready.resolve(entry);
  });
  void exited.then(() => ready.reject(new Error('the server ended before it was ready')));
  const { port, agentPort } = await ready.promise;
  return {
    port,
    agentPort,
    pid: child.pid!,
    stdin: child.stdin!,
    kill: (signal) => child.kill(signal),
    exited,
  };
}

async function setUp(t: TestContext): Promise<Record<string, string>> {
  const { url } = await withTestDatabase(t);
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-server-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  return { DATABASE_URL: url, MILLRACE_DATA_DIR: dataDir };
}

test('the server says where it listens, answers, and stops in order on SIGTERM', async (t) => {
  const server = await startServer(t, await setUp(t));
  const response = await fetch(`http://127.0.0.1:${server.port}/client/api?command=listZones&response=json`);
  assert.equal(response.status, 401);
  server.kill('SIGTERM');
  assert.equal(await server.exited, 0);
});

test('a started server ends when the standard input of whoever started it does', async (t) => {
  const server = await startServer(t, { ...(await setUp(t)), MILLRACE_EXIT_WITH_STDIN: '1' });
  server.stdin.end();
  assert.equal(await server.exited, 0);
});

test('a killed server keeps its name and its authority when it starts again, and starts lean', async (t) => {
  const env = await setUp(t);
  const first = await startServer(t, env);
  const keep = () =>
    Promise.all(
      ['server-id', 'ca/ca.pem', 'ca/server.pem'].map((name) =>
        readFile(join(env['MILLRACE_DATA_DIR']!, name), 'utf8'),
      ),
    );
  const before = await keep();
  first.kill('SIGKILL');
  await first.exited;
  const second = await startServer(t, env);
  assert.deepEqual(await keep(), before);
  const status = await readFile(`/proc/${second.pid}/status`, 'utf8');
  const residentMiB = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  t.diagnostic(`resident memory when ready: ${Math.round(residentMiB)} MiB`);
  assert.ok(residentMiB < 200, `${residentMiB} MiB`);
  second.kill('SIGTERM');
  assert.equal(await second.exited, 0);
});

test('a configuration that cannot work is told whole, at once', async (t) => {
  const controller = new AbortController();
  t.after(() => controller.abort());
  const child = spawnProgram(process.execPath, [fileURLToPath(new URL('./main.ts', import.meta.url))], {
    signal: controller.signal,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { MILLRACE_API_PORT: 'many' },
  });
  child.on('error', () => {});
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const chunks: Buffer[] = [];
  for await (const chunk of child.stderr as AsyncIterable<Buffer>) chunks.push(chunk);
  assert.equal(await exited, 1);
  const text = Buffer.concat(chunks).toString();
  for (const name of ['MILLRACE_DATA_DIR', 'DATABASE_URL', 'MILLRACE_API_PORT'])
    assert.match(text, new RegExp(name));
});
