import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { runProgram, silentLogger } from '@millrace/core';
import { startCeph } from '../../../../test/lab/ceph.ts';
import { startBadWebServer } from '../../../../test/servers/bad-web-server.ts';
import { fetchImage } from '../fetch-image.ts';
import { makeSpaceLedger } from '../sink/space.ts';
import { pack } from '../testing/pack.ts';
import { requestFor, type TemporaryDirectory, temporaryDirectory } from '../testing/request.ts';
import { rbdImages } from './rbd-images.ts';
import { copyRbdImage, removeRbdImage } from './rbd-names.ts';
import { type RbdPool, runCeph } from './rbd-pool.ts';
import { rbdSink } from './rbd-sink.ts';

const { signal } = new AbortController();
const ceph = await startCeph('127.0.0.2');
after(() => ceph[Symbol.asyncDispose]());
const pool: RbdPool = { monitors: [ceph.monitor], pool: ceph.pool, user: ceph.user, secret: ceph.secret };
const images = rbdImages(pool, signal);
const disk = Buffer.concat([randomBytes(3_145_728), Buffer.alloc(2_097_152), randomBytes(1_048_576)]);

async function fetchInto(name: string, content: Buffer, options: { readonly ranges: boolean }) {
  await using server = await startBadWebServer({ files: { [name]: content } });
  const url = `${server.url('ok', name)}${options.ranges ? '' : '?ranges=no'}`;
  const request = requestFor(url, { format: undefined, storeFormat: 'raw' });
  return await fetchImage(request, rbdSink({ pool, image: 'template' }), { signal, log: silentLogger });
}

async function made(directory: TemporaryDirectory, format: string, options: string): Promise<Buffer> {
  await writeFile(join(directory.path, 'disk.raw'), disk);
  const argv = [
    'convert',
    '-f',
    'raw',
    '-O',
    format,
    ...(options ? ['-o', options] : []),
    'disk.raw',
    'made',
  ];
  await runProgram('qemu-img', argv, { signal, cwd: directory.path });
  return await readFile(join(directory.path, 'made'));
}

for (const { name, format, options = '', packed, ranges = true } of [
  { name: 'stream.vmdk', format: 'vmdk', options: 'subformat=streamOptimized' },
  { name: 'geometry.vhd', format: 'vpc' },
  { name: 'disk.vhdx', format: 'vhdx' },
  { name: 'packed.qcow2.gz', format: 'qcow2', packed: 'gzip', ranges: false },
] as const) {
  test(`${name} becomes the raw disk that clones are made of, and nothing is left beside it`, async () => {
    await using directory = await temporaryDirectory();
    const plain = await made(directory, format, options);
    const fetched = await fetchInto(name, packed ? await pack(packed, plain) : plain, { ranges });
    assert.equal(fetched.format, 'raw');
    assert.equal(fetched.convertedFrom, format === 'vpc' ? 'vhd' : format);
    assert.deepEqual(await images.list(), ['template']);
    await images.clone('template', 'disk');
    const out = join(directory.path, 'out');
    await runCeph(pool, 'rbd', ['export', '--no-progress', `${pool.pool}/disk`, out], signal);
    const stored = await readFile(out);
    assert.equal(fetched.virtualSizeBytes, stored.length);
    assert.ok(stored.subarray(0, disk.length).equals(disk));
    assert.ok(stored.subarray(disk.length).every((byte) => byte === 0));
    await images.remove('disk');
    await images.remove('template');
  });
}

test('an image is refused with figures when it would take what is kept for others, or promised to another', async () => {
  const { freeBytes, capacityBytes } = (await images.space())!;
  const [ledger, half] = [makeSpaceLedger(), Math.ceil(freeBytes * 0.6)];
  const sink = (image: string) => rbdSink({ pool, image, ledger, reserve: (capacity) => capacity / 20 });
  await assert.rejects(
    sink('a').open(signal, { sizeBytes: freeBytes - Math.floor(capacityBytes / 40) }),
    (error) => {
      assert.match(String(error), /needs \d+ bytes, \d+ are free, of which \d+ are kept for others/);
      return true;
    },
  );
  const first = await sink('a').open(signal, { sizeBytes: half });
  await assert.rejects(sink('b').open(signal, { sizeBytes: half }), /\d+ are promised to other transfers/);
  await first.abort();
  const second = await sink('b').open(signal, { sizeBytes: half });
  await second.abort();
  assert.deepEqual(await images.list(), []);
});

test('an image of unknown size ends when the pool runs out of room, and a quota counts as its size', async () => {
  let kept = 0;
  const image = await rbdSink({ pool, image: 'a', reserve: () => kept }).open(signal);
  kept = Number.MAX_SAFE_INTEGER;
  const zeros = Buffer.alloc(8 * 1024 ** 2);
  const write = async () => {
    const deadline = performance.now() + 60_000;
    for (let at = 0; performance.now() < deadline; at += zeros.length) {
      await image.write(at, zeros);
      // nothing of it goes anywhere: without a pause nobody would hear the cluster's answer
      await delay(10);
    }
  };
  await assert.rejects(write(), /after \d+ bytes of the image, \d+ are free/);
  await image.abort();
  await ceph.ceph('osd', 'pool', 'set-quota', pool.pool, 'max_bytes', String(1024 ** 3));
  const { freeBytes } = (await images.space())!;
  assert.ok(freeBytes > 0 && freeBytes <= 1024 ** 3, `${freeBytes}`);
  await ceph.ceph('osd', 'pool', 'set-quota', pool.pool, 'max_bytes', '0');
});

for (const gone of ['older', 'newer'] as const) {
  test(`an image of the same bytes is a clone, and stays whole when the ${gone} one goes`, async () => {
    const content = randomBytes(5000);
    const image = await rbdSink({ pool, image: 'older' }).open(signal);
    await image.write(0, content);
    await image.commit(content.length);
    await copyRbdImage(images, 'older', 'newer');
    await copyRbdImage(images, 'newer', 'newest');
    assert.equal(await images.usedBytes('newer'), 0);
    assert.equal(await images.baseOf('newest'), 'older');
    const stays = gone === 'older' ? 'newer' : 'older';
    await images.clone(gone, 'disk');
    await assert.rejects(removeRbdImage(images, gone), /busy|children/i);
    await images.remove('disk');
    await removeRbdImage(images, gone);
    assert.equal(await images.sizeOf(gone), undefined);
    await images.clone(stays, 'disk');
    await using directory = await temporaryDirectory();
    const out = join(directory.path, 'out');
    await runCeph(pool, 'rbd', ['export', '--no-progress', `${pool.pool}/disk`, out], signal);
    assert.deepEqual(await readFile(out), content);
    await images.remove('disk');
    for (const name of [stays, 'newest']) await removeRbdImage(images, name);
    // what only stood below them has gone with them
    assert.deepEqual(await images.list(), []);
  });
}

test('what cannot be converted, or is refused before that, leaves nothing in the pool', async () => {
  await using directory = await temporaryDirectory();
  const plain = await made(directory, 'vmdk', '');
  await truncate(join(directory.path, 'made'), plain.length - 65_536);
  const cut = await readFile(join(directory.path, 'made'));
  await assert.rejects(fetchInto('cut.vmdk', cut, { ranges: true }), /refers to data beyond its own end/);
  assert.deepEqual(await images.list(), []);
});
