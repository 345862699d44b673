import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runProgram, silentLogger } from '@millrace/core';
import { type BadWebServer, startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import { directorySink, type FetchedImage, FetchFailure, fetchImage, type ImageRequest } from './index.ts';
import { pack } from './testing/pack.ts';
import { requestFor, type TemporaryDirectory, temporaryDirectory } from './testing/request.ts';

/** Needs qemu-img and tar. Whatever an image was published as, what is stored is what the pool stores. */

const mib = 1024 * 1024;
const { signal } = new AbortController();
let images: TemporaryDirectory;
let server: BadWebServer;
/** The disk that all of them are of: with a hole, and a size that is no multiple of a cluster. */
const disk = Buffer.concat([
  randomBytes(3 * mib),
  Buffer.alloc(5 * mib),
  randomBytes(1 * mib),
  // what can be compressed is kept compressed
  Buffer.alloc(1 * mib, 'a disk'),
  Buffer.alloc(512),
]);

const inImages = (file: string, ...argv: string[]) => runProgram(file, argv, { signal, cwd: images.path });

before(async () => {
  images = await temporaryDirectory();
  await writeFile(join(images.path, 'disk.raw'), disk);
  const convert = (to: string, name: string, options: string) =>
    inImages(
      'qemu-img',
      'convert',
      '-f',
      'raw',
      '-O',
      to,
      ...(options ? ['-o', options] : []),
      'disk.raw',
      name,
    );
  await convert('qcow2', 'plain.qcow2', '');
  await convert('qcow2', 'small-clusters.qcow2', 'cluster_size=4096');
  await convert('qcow2', 'tiny-clusters.qcow2', 'cluster_size=512');
  await inImages('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', 'disk.raw', 'compressed.qcow2');
  await convert('vmdk', 'sparse.vmdk', 'subformat=monolithicSparse');
  await convert('vmdk', 'stream.vmdk', 'subformat=streamOptimized');
  await convert('vpc', 'dynamic.vhd', 'subformat=dynamic,force_size=on');
  await convert('vpc', 'fixed.vhd', 'subformat=fixed,force_size=on');
  await convert('vhdx', 'disk.vhdx', '');
  await writeFile(join(images.path, 'disk.ovf'), '<Envelope/>');
  await inImages('tar', '--format=ustar', '-cf', 'disk.ova', 'disk.ovf', 'stream.vmdk');
  const names = (await images.names()).filter((name) => name !== 'disk.ovf');
  const files = await Promise.all(
    names.map(async (name) => [name, await readFile(join(images.path, name))] as const),
  );
  server = await startBadWebServer({ files: Object.fromEntries(files) });
  const ova = await readFile(join(images.path, 'disk.ova'));
  server.setFile('disk.ova.gz', await pack('gzip', ova));
  server.setFile('plain.qcow2.zst', await pack('zstd', await readFile(join(images.path, 'plain.qcow2'))));
});
after(async () => {
  await server.close();
  await images[Symbol.asyncDispose]();
});

interface Stored {
  readonly fetched: FetchedImage;
  /** The disk that the guest would see. */
  readonly disk: Buffer;
}

async function store(name: string, change: Partial<ImageRequest> = {}): Promise<Stored> {
  await using pool = await temporaryDirectory();
  const sink = directorySink({ directory: pool.path, fileName: 'stored' });
  const { body, digest } = await published(name);
  const request = requestFor(server.url('ok', name), {
    format: undefined,
    expectedDigest: body ? { algorithm: 'SHA-256', hex: digest } : undefined,
    ...change,
  });
  try {
    const fetched = await fetchImage(request, sink, { signal, log: silentLogger });
    assert.deepEqual(await pool.names(), ['stored'], 'nothing is left beside the image');
    const path = join(pool.path, 'stored');
    const raw = join(pool.path, 'raw');
    await inImages('qemu-img', 'convert', '-f', fetched.format, '-O', 'raw', path, raw);
    if (fetched.format === 'qcow2') await inImages('qemu-img', 'check', '-f', 'qcow2', path);
    return { fetched, disk: await readFile(raw) };
  } catch (error) {
    if (error instanceof FetchFailure)
      assert.deepEqual(await pool.names(), [], 'a failed fetch leaves nothing');
    throw error;
  }
}

async function published(name: string): Promise<{ readonly body: boolean; readonly digest: string }> {
  const bytes = await readFile(join(images.path, name)).catch(() => undefined);
  return {
    body: bytes !== undefined,
    digest: createHash('sha256')
      .update(bytes ?? '')
      .digest('hex'),
  };
}

describe('what is no qcow2 image is stored as one', () => {
  for (const [name, from] of [
    ['sparse.vmdk', 'vmdk'],
    ['stream.vmdk', 'vmdk'],
    ['dynamic.vhd', 'vhd'],
    ['fixed.vhd', 'vhd'],
    ['disk.vhdx', 'vhdx'],
    ['disk.ova', 'vmdk'],
    ['disk.ova.gz', 'vmdk'],
  ] as const) {
    test(name, async () => {
      const { fetched, disk: stored } = await store(name);
      assert.equal(fetched.format, 'qcow2');
      assert.equal(fetched.convertedFrom, from);
      assert.ok(stored.subarray(0, disk.length).equals(disk), 'the guest sees the disk that was published');
      assert.ok(stored.subarray(disk.length).every((byte) => byte === 0));
      assert.ok(fetched.phaseMs['converting'] !== undefined);
    });
  }
});

describe('a pool of raw images gets the disk', () => {
  for (const [name, converted] of [
    ['plain.qcow2', false],
    ['small-clusters.qcow2', false],
    ['tiny-clusters.qcow2', true],
    ['compressed.qcow2', true],
    ['plain.qcow2.zst', true],
    ['stream.vmdk', true],
  ] as const) {
    test(`${name} ${converted ? 'by a conversion' : 'in flight'}`, async () => {
      const { fetched, disk: stored } = await store(name, { storeFormat: 'raw' });
      assert.equal(fetched.format, 'raw');
      assert.ok(stored.equals(disk) || stored.subarray(0, disk.length).equals(disk));
      assert.equal(fetched.phaseMs['converting'] !== undefined, converted);
    });
  }
});

test('an image of another format than it was declared to be is refused, not converted', async () => {
  for (const [name, format] of [
    ['sparse.vmdk', 'qcow2'],
    ['sparse.vmdk', 'vhdx'],
    ['disk.vhdx', 'vmdk'],
    ['plain.qcow2', 'vmdk'],
  ] as const) {
    await assert.rejects(store(name, { format }), { code: 'IMAGE_FORMAT_MISMATCH' }, `${name} as ${format}`);
  }
});

test('tables that a server sends differently when they are asked for alone place nothing wrongly', async () => {
  const bytes = await readFile(join(images.path, 'plain.qcow2'));
  const l1 = Number(bytes.readBigUInt64BE(40));
  const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
  const lying = Buffer.from(bytes);
  // two clusters of the disk change places
  bytes.copy(lying, l2, l2 + 8, l2 + 16);
  bytes.copy(lying, l2 + 8, l2, l2 + 8);
  let asked = 0;
  const { createServer } = await import('node:http');
  const liar = createServer((request, response) => {
    const [, from = '0', to = ''] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '') ?? [];
    const first = Number(from);
    const last = Math.min(to === '' ? bytes.length - 1 : Number(to), bytes.length - 1);
    asked += 1;
    const source = first === l2 && last === l2 + 65_535 ? lying : bytes;
    response.writeHead(206, {
      'content-range': `bytes ${first}-${last}/${bytes.length}`,
      'content-length': last - first + 1,
    });
    response.end(source.subarray(first, last + 1));
  });
  await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
  const address = liar.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  try {
    await assert.rejects(
      store('plain.qcow2', { storeFormat: 'raw', url: `http://127.0.0.1:${port}/x` }),
      FetchFailure,
    );
    assert.ok(asked > 0);
  } finally {
    liar.closeAllConnections();
    liar.close();
  }
});
