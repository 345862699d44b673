import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MillraceError, runProgram, silentLogger, spawnProgram } from '@millrace/core';
import { imageSinkContract } from '../../../../test/contracts/image-sink.ts';
import { startCeph } from '../../../../test/lab/ceph.ts';
import { startBadWebServer } from '../../../../test/servers/bad-web-server.ts';
import { fetchImage } from '../fetch-image.ts';
import { requestFor, temporaryDirectory } from '../testing/request.ts';
import { rbdImages, rbdPartialPrefix, removeStaleRbdPartials } from './rbd-images.ts';
import { markRbdPool, rbdPoolMark, unmarkRbdPool } from './rbd-mark.ts';
import { type RbdPool, runCeph } from './rbd-pool.ts';
import { rbdSink } from './rbd-sink.ts';

const { signal } = new AbortController();
const ceph = await startCeph();
after(() => ceph[Symbol.asyncDispose]());
const pool: RbdPool = { monitors: [ceph.monitor], pool: ceph.pool, user: ceph.user, secret: ceph.secret };
const images = rbdImages(pool, signal);

/** What a client sees that reads the whole image. */
async function contentOf(name: string): Promise<Buffer> {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'image');
  await runCeph(pool, 'rbd', ['export', '--no-progress', `${pool.pool}/${name}`, path], signal);
  return readFile(path);
}

async function put(name: string, content: Buffer): Promise<void> {
  const image = await rbdSink({ pool, image: name }).open(signal);
  await image.write(0, content);
  await image.commit(content.length);
}

async function removeAll(names: readonly string[]): Promise<void> {
  for (const name of names) await images.remove(name);
}

imageSinkContract('RBD sink', async () => {
  const name = `image-${randomUUID()}`;
  const ours = async () => (await images.list()).filter((found) => found.includes(name));
  return {
    sink: rbdSink({ pool, image: name }),
    visible: async () => ((await ours()).includes(name) ? contentOf(name) : undefined),
    traces: ours,
    occupy: (content) => put(name, content),
    [Symbol.asyncDispose]: async () => removeAll(await ours()),
  };
});

test('a committed image can be cloned, the clone grown, and neither takes space for what nobody wrote', async () => {
  const content = randomBytes(1_000_000);
  const image = await rbdSink({ pool, image: 'template' }).open(signal);
  await image.write(0, content);
  // zeros are not written
  await image.write(64 * 1024 ** 2, Buffer.alloc(8 * 1024 ** 2));
  await image.commit(72 * 1024 ** 2);
  await images.clone('template', 'disk');
  await images.resize('disk', 100 * 1024 ** 2);
  assert.equal(await images.sizeOf('disk'), 100 * 1024 ** 2);
  assert.deepEqual((await contentOf('disk')).subarray(0, content.length), content);
  const used = JSON.parse(
    await runCeph(pool, 'rbd', ['du', '--format', 'json', `${pool.pool}/disk`], signal),
  );
  assert.equal(used.images.find(({ name }: { name: string }) => name === 'disk').used_size, 0);
  const template = JSON.parse(
    await runCeph(pool, 'rbd', ['du', '--format', 'json', `${pool.pool}/template@millrace`], signal),
  );
  assert.ok(template.images[0].used_size <= 4 * 1024 ** 2, JSON.stringify(template));
  await assert.rejects(images.remove('template'), /busy|children/i);
  assert.equal(await images.sizeOf('template'), 72 * 1024 ** 2);
  await removeAll(['disk', 'template']);
  await images.remove('template');
  assert.deepEqual(await images.list(), []);
});

test('an image that is fetched again takes the name of one that disks stand on, and they stay whole', async () => {
  const [old, fresh] = [randomBytes(5000), randomBytes(6000)];
  await put('template', old);
  await images.clone('template', 'disk');
  await put('template', fresh);
  assert.deepEqual(await contentOf('template'), fresh);
  assert.deepEqual(await contentOf('disk'), old);
  await removeAll(['disk', 'template']);
  assert.equal((await removeStaleRbdPartials(images)).length, 1);
  assert.deepEqual(await images.list(), []);
});

for (const step of ['flush', 'check-size', 'protect', 'rename'] as const) {
  test(`a commit that ends before its step ${step} leaves nothing visible, and the leftover is found`, async () => {
    const sink = rbdSink({
      pool,
      image: 'template',
      onCommitStep: (reached) => {
        if (reached === step) throw new Error('power cut');
      },
    });
    const image = await sink.open(signal);
    await image.write(0, randomBytes(10_000));
    await assert.rejects(image.commit(10_000), /power cut/);
    const [left, ...others] = await images.list();
    assert.ok(left?.startsWith(`${rbdPartialPrefix}template.`), left);
    assert.deepEqual(others, []);
    if (step === 'flush') {
      // its writer lives and has it open
      assert.deepEqual(await removeStaleRbdPartials(images), []);
      await image.abort();
    } else {
      assert.deepEqual(await removeStaleRbdPartials(images), [left]);
    }
    assert.deepEqual(await images.list(), []);
  });
}

test('a writer that is killed leaves no image, no program and nothing but a partial that is found', async () => {
  const script = fileURLToPath(new URL('../testing/write-into-rbd.ts', import.meta.url));
  const child = spawnProgram(process.execPath, [script], {
    signal,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [exit, said] = [once(child, 'close'), once(child.stdout!, 'data')];
  child.stdin?.end(JSON.stringify({ pool, image: 'template' }));
  assert.equal(String((await said)[0]).trim(), 'written');
  const [left, ...others] = await images.list();
  assert.ok(left?.startsWith(`${rbdPartialPrefix}template.`), left);
  assert.deepEqual(others, []);
  child.kill('SIGKILL');
  await exit;
  const deadline = performance.now() + 60_000;
  while ((await removeStaleRbdPartials(images)).length === 0) {
    assert.ok(performance.now() < deadline, 'its partial stays open');
    await delay(500);
  }
  assert.deepEqual(await images.list(), []);
  const programs = async () => (await runProgram('ps', ['-eo', 'args'], { signal })).stdout;
  while (/qemu-nbd .*partial-template/.test(await programs())) {
    assert.ok(performance.now() < deadline, 'its qemu-nbd lives on');
    await delay(100);
  }
});

for (const format of ['raw', 'qcow2'] as const) {
  test(`a ${format} image of a web server arrives in the pool as the raw disk that it is`, async () => {
    await using source = await temporaryDirectory();
    const disk = Buffer.concat([randomBytes(3_145_728), Buffer.alloc(2_097_152), randomBytes(1_048_576)]);
    await writeFile(join(source.path, 'disk.raw'), disk);
    const argv = ['convert', '-f', 'raw', '-O', 'qcow2', 'disk.raw', 'disk.qcow2'];
    await runProgram('qemu-img', argv, { signal, cwd: source.path });
    await using server = await startBadWebServer({ directory: source.path });
    const request = requestFor(server.url('ok', `disk.${format}`), { format, storeFormat: 'raw' });
    const sink = rbdSink({ pool, image: 'template' });
    const fetched = await fetchImage(request, sink, { signal, log: silentLogger });
    assert.equal(fetched.format, 'raw');
    assert.ok((await contentOf('template')).equals(disk));
    await images.clone('template', 'disk');
    await removeAll(['disk', 'template']);
    assert.deepEqual(await images.list(), []);
  });
}

test('of two clouds that mark a pool at once one has it, and only that one takes its mark away', async () => {
  assert.equal(await rbdPoolMark(pool, signal), undefined);
  const [one, two] = [randomUUID(), randomUUID()];
  const owners = await Promise.all([markRbdPool(pool, one, signal), markRbdPool(pool, two, signal)]);
  const owner = await rbdPoolMark(pool, signal);
  assert.ok(owner === one || owner === two);
  assert.deepEqual(owners, [owner, owner]);
  assert.deepEqual(await images.list(), ['.millrace-pool']);
  await unmarkRbdPool(pool, owner === one ? two : one, signal);
  assert.equal(await rbdPoolMark(pool, signal), owner);
  await unmarkRbdPool(pool, owner, signal);
  assert.deepEqual(await images.list(), []);
});

test('the pool tells its capacity', async () => {
  const space = await images.space();
  assert.ok(space && space.capacityBytes > 1024 ** 3 && space.freeBytes <= space.capacityBytes);
});

test('a wrong secret and a pool that is not there are told by name, without the secret', async () => {
  const wrong = `${'A'.repeat(38)}==`;
  for (const bad of [
    { ...pool, secret: wrong },
    { ...pool, pool: 'nowhere' },
  ]) {
    await assert.rejects(rbdImages(bad, signal).list(), (error) => {
      assert.ok(error instanceof MillraceError && error.code === 'POOL_UNAVAILABLE');
      assert.ok(!JSON.stringify([error.message, error.details]).includes(bad.secret));
      return true;
    });
  }
});

test('no program that works on an image has the secret among its arguments', async () => {
  const image = await rbdSink({ pool, image: 'template' }).open(signal);
  const { stdout } = await runProgram('ps', ['-eo', 'args'], { signal });
  assert.match(stdout, /qemu-nbd .*file\.image=\.millrace-partial-template/);
  assert.ok(!stdout.includes(pool.secret));
  await image.abort();
});

test('names that mean something else to Ceph or QEMU are refused before any program runs', async () => {
  for (const name of ['', '-x', 'a/b', 'a@b', 'a,b', 'a b']) {
    assert.throws(() => rbdSink({ pool, image: name }), /no plain name/);
  }
});
