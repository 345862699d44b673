import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runProgram, silentLogger } from '@millrace/core';
import { type BadWebServer, startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import {
  directorySink,
  type FetchedImage,
  FetchFailure,
  fetchImage,
  type ImageRequest,
  probeImage,
} from './index.ts';
import { pack } from './testing/pack.ts';
import { metalinkOf, requestFor, type TemporaryDirectory, temporaryDirectory } from './testing/request.ts';

/** Needs qemu-img. The images are those that QEMU itself writes. */

const mib = 1024 * 1024;
const { signal } = new AbortController();
let images: TemporaryDirectory;
let server: BadWebServer;

const qemuImg = (...argv: string[]) => runProgram('qemu-img', argv, { signal, cwd: images.path });
const content = (name: string) => readFile(join(images.path, name));
const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

before(async () => {
  images = await temporaryDirectory();
  await writeFile(
    join(images.path, 'disk.raw'),
    Buffer.concat([randomBytes(3 * mib), Buffer.alloc(2 * mib)]),
  );
  const convert = (name: string, ...options: string[]) =>
    qemuImg('convert', '-f', 'raw', '-O', 'qcow2', ...options, 'disk.raw', name);
  await convert('plain.qcow2');
  await convert('v2.qcow2', '-o', 'compat=0.10');
  await convert('compressed.qcow2', '-c');
  await convert('zstd.qcow2', '-c', '-o', 'compression_type=zstd');
  await convert('small-clusters.qcow2', '-o', 'cluster_size=512');
  await convert('large-clusters.qcow2', '-o', 'cluster_size=2M');
  await convert('lazy.qcow2', '-o', 'lazy_refcounts=on');
  await convert('extended.qcow2', '-o', 'extended_l2=on');
  await qemuImg('create', '-f', 'qcow2', '-o', 'preallocation=metadata', 'preallocated.qcow2', '8M');
  await qemuImg('create', '-f', 'qcow2', 'empty-disk.qcow2', '20G');
  await qemuImg('create', '-f', 'qcow2', '-F', 'qcow2', '-b', 'plain.qcow2', 'backing.qcow2');
  await qemuImg(
    'create',
    '-f',
    'qcow2',
    '-o',
    'compat=0.10',
    '-F',
    'raw',
    '-b',
    '/etc/passwd',
    'passwd-v2.qcow2',
  );
  await qemuImg(
    'create',
    '-f',
    'qcow2',
    '-o',
    'data_file=shadow.raw,data_file_raw=on',
    'data-file.qcow2',
    '8M',
  );
  await qemuImg('create', '-f', 'qcow2', 'huge.qcow2', '60T');
  await convert('snapshot.qcow2');
  await qemuImg('snapshot', '-c', 'one', 'snapshot.qcow2');
  const secret = ['--object', 'secret,id=s,data=abc123'];
  await qemuImg(
    'create',
    '-f',
    'qcow2',
    ...secret,
    '-o',
    'encrypt.format=aes,encrypt.key-secret=s',
    'encrypted.qcow2',
    '8M',
  );
  for (const format of ['vmdk', 'vpc', 'vhdx', 'vdi', 'qed']) {
    await qemuImg('convert', '-f', 'raw', '-O', format, 'disk.raw', `disk.${format}`);
  }
  await writeFile(join(images.path, 'cut.qcow2'), (await content('plain.qcow2')).subarray(0, -mib));
  server = await startBadWebServer({ directory: images.path });
});
after(async () => {
  await server.close();
  await images[Symbol.asyncDispose]();
});

interface Result {
  readonly fetched?: FetchedImage;
  readonly written?: Buffer;
  readonly failure?: FetchFailure;
}

async function fetchOnce(request: ImageRequest): Promise<Result> {
  await using directory = await temporaryDirectory();
  const sink = directorySink({ directory: directory.path, fileName: 'x' });
  try {
    const fetched = await fetchImage(request, sink, { signal, log: silentLogger });
    return { fetched, written: await readFile(join(directory.path, 'x')) };
  } catch (failure) {
    if (!(failure instanceof FetchFailure)) throw failure;
    assert.deepEqual(await directory.names(), []);
    return { failure };
  }
}

for (const [name, virtualSizeBytes] of [
  ['plain.qcow2', 5 * mib],
  ['v2.qcow2', 5 * mib],
  ['compressed.qcow2', 5 * mib],
  ['zstd.qcow2', 5 * mib],
  ['small-clusters.qcow2', 5 * mib],
  ['large-clusters.qcow2', 5 * mib],
  ['lazy.qcow2', 5 * mib],
  ['preallocated.qcow2', 8 * mib],
  ['empty-disk.qcow2', 20 * 1024 * mib],
] as const) {
  test(`${name}, as QEMU writes it, is probed and committed unchanged`, async () => {
    const original = await content(name);
    const hex = digestOf(original);
    const request = requestFor(server.url('ok', name), {
      format: 'qcow2',
      expectedDigest: { algorithm: 'SHA-256', hex },
    });
    const probe = await probeImage(request, { signal, log: silentLogger });
    assert.equal(probe.usable, true, JSON.stringify(probe));
    assert.deepEqual([probe.format, probe.virtualSizeBytes], ['qcow2', virtualSizeBytes]);
    const { fetched, written, failure } = await fetchOnce(request);
    assert.ok(fetched && written, failure?.message);
    assert.equal(digestOf(written), hex);
    assert.equal(fetched.virtualSizeBytes, virtualSizeBytes);
  });
}

for (const [name, code] of [
  ['backing.qcow2', 'IMAGE_BACKING_FILE'],
  ['passwd-v2.qcow2', 'IMAGE_BACKING_FILE'],
  ['data-file.qcow2', 'IMAGE_DATA_FILE'],
  ['extended.qcow2', 'IMAGE_FEATURE_UNKNOWN'],
  ['snapshot.qcow2', 'IMAGE_SNAPSHOTS'],
  ['encrypted.qcow2', 'IMAGE_ENCRYPTED'],
  ['huge.qcow2', 'IMAGE_TOO_LARGE'],
  ['disk.raw', 'IMAGE_FORMAT_MISMATCH'],
  ['disk.vmdk', 'IMAGE_FORMAT_MISMATCH'],
  ['disk.vpc', 'IMAGE_FORMAT_MISMATCH'],
  ['disk.vhdx', 'IMAGE_FORMAT_MISMATCH'],
  ['disk.vdi', 'IMAGE_FORMAT_MISMATCH'],
  ['disk.qed', 'IMAGE_FORMAT_MISMATCH'],
] as const) {
  test(`${name} is refused by the probe and by the fetch, at the first attempt, for good`, async () => {
    for (const expectedDigest of [
      undefined,
      { algorithm: 'SHA-256', hex: digestOf(await content(name)) } as const,
    ]) {
      const request = requestFor(server.url('ok', name), { format: 'qcow2', expectedDigest });
      const probe = await probeImage(request, { signal, log: silentLogger });
      assert.equal(probe.usable, false);
      assert.equal(probe.refusal?.code, code, JSON.stringify(probe));
      const { failure } = await fetchOnce(request);
      assert.equal(failure?.code, code);
      assert.equal(failure?.failureClass, 'stop');
      assert.equal(failure?.attempts.length, 1);
    }
  });
}

test('a container declared as raw is refused, whatever it contains', async () => {
  for (const name of ['plain.qcow2', 'disk.vmdk', 'disk.vpc', 'disk.vhdx', 'disk.vdi', 'disk.qed']) {
    const { failure } = await fetchOnce(requestFor(server.url('ok', name), { format: 'raw' }));
    assert.equal(failure?.code, 'IMAGE_FORMAT_MISMATCH', name);
  }
});

test('a qcow2 image whose end is missing is refused although its header is fine', async () => {
  const { failure } = await fetchOnce(requestFor(server.url('ok', 'cut.qcow2'), { format: 'qcow2' }));
  assert.equal(failure?.code, 'IMAGE_TRUNCATED');
});

test('a refused header costs its first bytes, not the whole image', async () => {
  const hostile = Buffer.concat([await content('backing.qcow2'), randomBytes(60 * mib)]);
  await using big = await startBadWebServer({ files: { hostile } });
  const { failure } = await fetchOnce(requestFor(big.url('ok', 'hostile'), { format: 'qcow2' }));
  assert.equal(failure?.code, 'IMAGE_BACKING_FILE');
  assert.ok(big.bytesSent() < 30 * mib, `${big.bytesSent()} bytes were sent`);
});

test('with a digest to go by, a mirror with a hostile image is passed over and the honest one delivers', async () => {
  const original = await content('plain.qcow2');
  const metalink = metalinkOf([server.url('ok', 'backing.qcow2'), server.url('ok', 'plain.qcow2')], {
    sha256: digestOf(original),
  });
  await using mirrors = await startBadWebServer({ files: { metalink } });
  const request = requestFor(mirrors.url('ok', 'metalink'), { format: 'qcow2' });
  const probe = await probeImage(request, { signal, log: silentLogger });
  assert.equal(probe.usable, true);
  assert.deepEqual(
    probe.sources.map(({ reason }) => reason),
    ['IMAGE_BACKING_FILE', undefined],
  );
  const { fetched, written } = await fetchOnce(request);
  assert.ok(written?.equals(original));
  assert.deepEqual(
    fetched?.attempts.map(({ reason, next }) => [reason, next]),
    [
      ['IMAGE_BACKING_FILE', 'next-source'],
      [undefined, 'done'],
    ],
  );
});

test('without a digest, one mirror with a hostile image is enough to stop', async () => {
  const metalink = metalinkOf([server.url('ok', 'backing.qcow2'), server.url('ok', 'plain.qcow2')]);
  await using mirrors = await startBadWebServer({ files: { metalink } });
  const request = requestFor(mirrors.url('ok', 'metalink'), { format: 'qcow2' });
  assert.equal(
    (await probeImage(request, { signal, log: silentLogger })).refusal?.code,
    'IMAGE_BACKING_FILE',
  );
  const { failure } = await fetchOnce(request);
  assert.equal(failure?.code, 'IMAGE_BACKING_FILE');
  assert.equal(failure?.attempts.length, 1);
});

for (const compression of ['gzip', 'bzip2', 'xz', 'zstd'] as const) {
  test(`a qcow2 image packed with ${compression} is probed, unpacked and opened by qemu-img`, async () => {
    const original = await content('plain.qcow2');
    const packed = await pack(compression, original);
    await using packer = await startBadWebServer({ files: { packed } });
    const request = requestFor(packer.url('ok', 'packed'), { format: 'qcow2' });
    const probe = await probeImage(request, { signal, log: silentLogger });
    assert.deepEqual(
      [probe.usable, probe.compression, probe.format, probe.virtualSizeBytes, probe.transferBytes],
      [true, compression, 'qcow2', 5 * mib, packed.length],
    );
    await using directory = await temporaryDirectory();
    const sink = directorySink({ directory: directory.path, fileName: 'x.qcow2' });
    await fetchImage(request, sink, { signal, log: silentLogger });
    const path = join(directory.path, 'x.qcow2');
    assert.ok((await readFile(path)).equals(original));
    await qemuImg('check', '-f', 'qcow2', path);
    await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', path, 'disk.raw');
  });

  test(`a hostile qcow2 image packed with ${compression} is refused by the probe already`, async () => {
    const packed = await pack(compression, await content('backing.qcow2'));
    await using packer = await startBadWebServer({ files: { packed } });
    const request = requestFor(packer.url('ok', 'packed'), { format: 'qcow2' });
    assert.equal(
      (await probeImage(request, { signal, log: silentLogger })).refusal?.code,
      'IMAGE_BACKING_FILE',
    );
    assert.equal((await fetchOnce(request)).failure?.code, 'IMAGE_BACKING_FILE');
  });
}
