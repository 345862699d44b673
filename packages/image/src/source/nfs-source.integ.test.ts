import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import type { lookup } from 'node:dns';
import { chmod, mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type NfsServer, startNfsServer } from '../../../../test/lab/nfs-server.ts';
import { FetchFault } from '../errors.ts';
import { type NfsOptions, openNfs } from './nfs-source.ts';

const { signal } = new AbortController();
const image = randomBytes(3 * 1024 * 1024 + 17);
let server: NfsServer;

before(async () => {
  server = await startNfsServer();
  await mkdir(join(server.directory, 'sub dir'));
  await writeFile(join(server.directory, 'sub dir', 'imäge #1&2.raw'), image);
  await writeFile(join(server.directory, 'image'), image);
  await writeFile(join(server.directory, 'empty'), '');
  await writeFile(join(server.directory, 'secret'), 'of root');
  await chmod(join(server.directory, 'secret'), 0o600);
  await symlink('image', join(server.directory, 'link'));
  await symlink('/etc/passwd', join(server.directory, 'out'));
  await mkdir(join(server.directory, 'unlisted'));
  await writeFile(join(server.directory, 'unlisted', 'image'), image);
  await chmod(join(server.directory, 'unlisted'), 0o711);
});
after(() => server[Symbol.asyncDispose]());

function open(path: string, change: Partial<NfsOptions> = {}) {
  return openNfs(path.startsWith('nfs:') ? path : `nfs://127.0.0.1${path}`, {
    egress: { allowedCidrs: ['127.0.0.0/8', '::1/128'] },
    connectTimeoutMs: 5000,
    stallTimeoutMs: 10_000,
    signal,
    ...change,
  });
}

function faultOf(code: string) {
  return (error: unknown) => {
    assert.ok(error instanceof FetchFault, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  };
}

for (const version of [3, 4]) {
  test(`a file arrives whole and with its size, by NFS version ${version}`, async () => {
    const opened = await open(`/images/sub%20dir/im%C3%A4ge%20%231&2.raw?version=${version}`);
    assert.equal(opened.totalBytes, image.length);
    assert.equal(opened.lengthBytes, image.length);
    assert.ok(image.equals(await buffer(opened.body)));
  });

  test(`what is missing, hidden or no file is told apart, by NFS version ${version}`, async () => {
    const query = `?version=${version}`;
    await assert.rejects(open(`/images/none${query}`), faultOf('SOURCE_NOT_FOUND'));
    await assert.rejects(open(`/images/sub%20dir${query}`), faultOf('SOURCE_NOT_FOUND'));
    // readable for root, whom the server would believe if the request said so
    await assert.rejects(open(`/images/secret${query}`), faultOf('SOURCE_DENIED'));
    // version 3 does not tell whether it has a directory that may not be mounted
    const noDirectory = version === 3 ? 'SOURCE_DENIED' : 'SOURCE_NOT_FOUND';
    await assert.rejects(open(`/elsewhere/image${query}`), faultOf(noDirectory));
  });
}

test('links within the export are followed, those that lead out are not found', async () => {
  assert.ok(image.equals(await buffer((await open('/images/link')).body)));
  await assert.rejects(open('/images/out'), faultOf('SOURCE_NOT_FOUND'));
});

test('a file in a directory that may not be listed arrives, its size unknown before', async () => {
  const opened = await open('/images/unlisted/image');
  assert.equal(opened.totalBytes, undefined);
  assert.ok(image.equals(await buffer(opened.body)));
});

test('an empty file is empty', async () => {
  const opened = await open('/images/empty');
  assert.equal(opened.totalBytes, 0);
  assert.equal((await buffer(opened.body)).length, 0);
});

test('a body can begin later in the file', async () => {
  const opened = await open('/images/image', { offsetBytes: 1_000_003 });
  assert.equal(opened.totalBytes, image.length);
  assert.equal(opened.lengthBytes, image.length - 1_000_003);
  assert.ok(image.subarray(1_000_003).equals(await buffer(opened.body)));
  const nothing = await open('/images/image', { offsetBytes: image.length });
  assert.equal((await buffer(nothing.body)).length, 0);
  await assert.rejects(open('/images/image', { offsetBytes: image.length + 1 }), faultOf('LENGTH_TOO_SHORT'));
});

test('a name is asked once, and only an allowed address of it is connected to', async () => {
  let asked = 0;
  const answering = (...addresses: string[]) =>
    ((_name: string, _options: unknown, callback: (error: null, found: unknown) => void) => {
      asked += 1;
      callback(
        null,
        addresses.map((address) => ({ address, family: 4 })),
      );
      // the part of the signature that is used
    }) as unknown as typeof lookup;
  const egress = { allowedCidrs: ['127.0.0.1/32'] };
  const url = 'nfs://images.example/images/image';
  const opened = await open(url, { egress, lookup: answering('10.0.0.1', '127.0.0.1') });
  assert.ok(image.equals(await buffer(opened.body)));
  assert.equal(asked, 1);
  await assert.rejects(open(url, { egress, lookup: answering('127.0.0.2') }), faultOf('EGRESS_REFUSED'));
  await assert.rejects(open('/images/image', { egress: { allowedCidrs: [] } }), faultOf('EGRESS_REFUSED'));
  await assert.rejects(open('nfs://127.0.0.1:22/images/image'), faultOf('EGRESS_REFUSED'));
  await assert.rejects(
    open('nfs://localhost/images/image', { egress: { allowedCidrs: [] } }),
    faultOf('EGRESS_REFUSED'),
  );
});

test('an address where nobody is at home is followed by the next one', async () => {
  const both = ((_name: string, _options: unknown, callback: (error: null, found: unknown) => void) =>
    callback(null, [
      { address: '127.0.0.9', family: 4 },
      { address: '::1', family: 6 },
      // the part of the signature that is used
    ])) as unknown as typeof lookup;
  const opened = await open('nfs://images.example:2049/images/image?version=4', {
    egress: { allowedCidrs: ['127.0.0.9/32', '::1/128'] },
    lookup: both,
  });
  assert.ok(image.equals(await buffer(opened.body)));
});

test('a server without a portmapper is asked by version 4', async () => {
  await server.crash('portmapper');
  try {
    assert.ok(image.equals(await buffer((await open('/images/image')).body)));
    await assert.rejects(open('/images/image?version=3'), faultOf('CONNECT_REFUSED'));
  } finally {
    await server.restart();
  }
});

test('a server that is away refuses, one that says nothing stalls', async () => {
  await assert.rejects(open('nfs://127.0.0.1:2050/images/image?version=4'), faultOf('CONNECT_REFUSED'));
  await using mute = createServer((socket) => socket.on('error', () => {}));
  const { promise, resolve } = Promise.withResolvers<void>();
  mute.listen(2051, '127.0.0.1', resolve);
  await promise;
  await assert.rejects(
    open('nfs://127.0.0.1:2051/images/image?version=4', { connectTimeoutMs: 100, stallTimeoutMs: 200 }),
    faultOf('TRANSFER_STALLED'),
  );
});

test('a server that dies in the middle stalls the transfer; one that comes back in time goes on with it', async () => {
  const size = 64 * 1024 * 1024;
  const path = join(server.directory, 'large');
  await writeFile(path, '');
  await truncate(path, size);
  const dying = await open('/images/large', { stallTimeoutMs: 500 });
  await server.crash();
  await assert.rejects(buffer(dying.body), faultOf('TRANSFER_STALLED'));
  await server.restart();
  const surviving = await open('/images/large');
  await server.crash();
  const arriving = buffer(surviving.body);
  await server.restart();
  assert.equal((await arriving).length, size);
});

test('a file that shrinks while it is read is never taken for whole', async () => {
  const path = join(server.directory, 'shrinking');
  await writeFile(path, '');
  await truncate(path, 64 * 1024 * 1024);
  const opened = await open('/images/shrinking', { stallTimeoutMs: 500 });
  await truncate(path, 1000);
  await assert.rejects(buffer(opened.body), faultOf('TRANSFER_STALLED'));
});

test('cancelling ends the program and rejects with the reason', async () => {
  const stop = new AbortController();
  const opened = await open('/images/large', { signal: stop.signal });
  const closed = await open('/images/large');
  const left = await open('/images/large');
  assert.equal((await readers()).length, 3);
  stop.abort(new Error('enough'));
  await assert.rejects(buffer(opened.body), /enough/);
  closed.close();
  for await (const _ of left.body) break;
  const early = new AbortController();
  const opening = open('/images/image', { signal: early.signal });
  early.abort(new Error('too early'));
  await assert.rejects(opening, /too early/);
  const deadline = performance.now() + 10_000;
  while ((await readers()).length > 0) {
    assert.ok(performance.now() < deadline, 'nfs-cat is still running');
    await delay(10);
  }
});

test('the program that speaks to a stranger’s server has lost root and all but one capability', async () => {
  const opened = await open('/images/large');
  const [status] = await readers();
  opened.close();
  assert.match(status ?? '', /^Uid:\t65534\t65534\t65534\t65534$/m);
  assert.match(status ?? '', /^NoNewPrivs:\t1$/m);
  // CAP_NET_BIND_SERVICE
  for (const set of ['CapPrm', 'CapEff', 'CapBnd']) {
    assert.match(status ?? '', new RegExp(`^${set}:\t0*400$`, 'm'));
  }
});

/** `/proc/PID/status` of every nfs-cat that runs. */
async function readers(): Promise<string[]> {
  const statuses = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')),
  );
  return statuses.filter((status) => /^Name:\tnfs-cat$/m.test(status) && !/^State:\tZ/m.test(status));
}

test('what arrives is what was read, byte for byte, while the consumer is slow', async () => {
  const opened = await open('/images/image');
  const hash = createHash('sha256');
  let chunks = 0;
  for await (const chunk of opened.body) {
    hash.update(chunk);
    if (chunks++ % 10 === 0) await delay(5);
  }
  assert.equal(hash.digest('hex'), createHash('sha256').update(image).digest('hex'));
});
