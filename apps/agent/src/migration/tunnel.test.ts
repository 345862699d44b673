import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { type MigrationPaths, openSource, openTarget } from './tunnel.ts';

const secret = 'ab'.repeat(32);

async function directories(t: { after(done: () => Promise<void>): void }) {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-tunnel-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const pathsIn = (name: string): MigrationPaths => ({
    directory: join(directory, name),
    libvirt: join(directory, name, 'libvirt'),
    memory: join(directory, name, 'memory'),
  });
  return { directory, source: pathsIn('source'), target: pathsIn('target') };
}

/** Answers with what it was sent, in capitals, when the other side has said all. */
async function shouter(path: string) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    void buffer(socket).then((all) => socket.end(all.toString().toUpperCase()));
  });
  server.listen(path);
  await once(server, 'listening');
  return server;
}

async function say(path: string, text: string): Promise<string> {
  const socket = connect({ path, allowHalfOpen: true });
  socket.on('error', () => {});
  socket.end(text);
  return (await buffer(socket).catch(() => Buffer.alloc(0))).toString();
}

test('both connections reach their ends on the other host, each way closed by itself', async (t) => {
  const { directory, source, target } = await directories(t);
  const libvirtSocket = join(directory, 'libvirt-sock');
  const libvirt = await shouter(libvirtSocket);
  const into = await openTarget({ paths: target, secret, libvirtSocket });
  const memory = await shouter(target.memory);
  const out = await openSource({ paths: source, secret, address: '127.0.0.1', port: into.port });
  const large = 'memory '.repeat(100_000);
  assert.deepEqual(await Promise.all([say(source.libvirt, 'hello libvirt'), say(source.memory, large)]), [
    'HELLO LIBVIRT',
    large.toUpperCase(),
  ]);
  await out[Symbol.asyncDispose]();
  await into[Symbol.asyncDispose]();
  libvirt.close();
  memory.close();
  for (const paths of [source, target]) await assert.rejects(stat(paths.directory), { code: 'ENOENT' });
});

test('who has not the secret of this move reaches nothing', async (t) => {
  const { directory, source, target } = await directories(t);
  const libvirtSocket = join(directory, 'libvirt-sock');
  const libvirt = await shouter(libvirtSocket);
  await using into = await openTarget({ paths: target, secret, libvirtSocket });
  await using _ = await openSource({
    paths: source,
    secret: 'cd'.repeat(32),
    address: '127.0.0.1',
    port: into.port,
  });
  assert.equal(await say(source.libvirt, 'let me in'), '');
  libvirt.close();
});
