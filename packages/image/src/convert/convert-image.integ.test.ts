import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '@millrace/core';
import { findConfinement } from '../confine/confinement.ts';
import { FetchFault } from '../errors.ts';
import { judgeForeignImage } from '../inspect/foreign-image.ts';
import { faultOf } from '../testing/decode.ts';
import { qcow2File } from '../testing/qcow2-fixture.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../testing/request.ts';
import { dynamicVhd, fixedVhd } from '../testing/vhd-fixture.ts';
import { vhdxFile } from '../testing/vhdx-fixture.ts';
import { vmdkDescriptor, vmdkFile } from '../testing/vmdk-fixture.ts';
import type { ForeignFormat } from '../types.ts';
import { type Conversion, convertImage } from './convert-image.ts';

/** Needs qemu-img and bubblewrap. */

const signal = AbortSignal.timeout(60_000);
const confinement = await findConfinement(signal);
const mebibyte = 1024 * 1024;
/** Data, a hole, data. */
const content = Buffer.concat([
  randomBytes(mebibyte),
  Buffer.alloc(2 * mebibyte),
  randomBytes(mebibyte + 512),
]);

function convert(
  directory: TemporaryDirectory,
  change: Partial<Conversion> & Pick<Conversion, 'path' | 'from'>,
) {
  const output = join(directory.path, 'output');
  return convertImage({
    ...{ to: 'raw', output, maxOutputBytes: 100 * mebibyte, signal, confinement },
    ...change,
  });
}

async function accept(path: string, format: ForeignFormat): Promise<number> {
  await using file = await open(path);
  const { size } = await file.stat();
  const read = async (position: number, length: number) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  };
  return await judgeForeignImage[format]({ sizeBytes: size, read }, 2 ** 40, signal);
}

const made: readonly (readonly [ForeignFormat, string, string])[] = [
  ['vmdk', 'vmdk', 'subformat=monolithicSparse'],
  ['vmdk', 'vmdk', 'subformat=streamOptimized'],
  ['vhd', 'vpc', 'subformat=dynamic,force_size=on'],
  ['vhd', 'vpc', 'subformat=dynamic'],
  ['vhd', 'vpc', 'subformat=fixed,force_size=on'],
  ['vhd', 'vpc', 'subformat=fixed'],
  ['vhdx', 'vhdx', 'subformat=dynamic'],
  ['vhdx', 'vhdx', 'subformat=fixed,block_size=1M'],
];
for (const [format, driver, options] of made) {
  test(`what QEMU makes as ${driver} with ${options} is accepted, and converted to the same disk`, async () => {
    await using directory = await temporaryDirectory();
    const plain = join(directory.path, 'plain');
    const path = join(directory.path, 'image');
    await writeFile(plain, content);
    await runProgram('qemu-img', ['convert', '-f', 'raw', '-O', driver, '-o', options, plain, path], {
      signal,
    });
    const virtualSize = await accept(path, format);
    assert.ok(virtualSize >= content.length && virtualSize < content.length + mebibyte, `${virtualSize}`);
    const progress: number[] = [];
    const confinedBy = await convert(directory, {
      path,
      from: format,
      onProgress: (done) => progress.push(done),
    });
    assert.equal(confinedBy, 'bubblewrap');
    const raw = await readFile(join(directory.path, 'output'));
    // without force_size a VHD is as large as its geometry
    assert.ok(
      raw.subarray(0, content.length).equals(content) &&
        raw.subarray(content.length).every((byte) => byte === 0),
    );
    assert.equal(progress.at(-1), 1);
    await convert(directory, { path, from: format, to: 'qcow2' });
    const compare = ['compare', '-f', 'qcow2', '-F', 'raw', join(directory.path, 'output'), plain];
    assert.match((await runProgram('qemu-img', compare, { signal })).stdout, /identical/);
  });
}

test('the files that the inspectors are tested with are images for QEMU, too', async () => {
  await using directory = await temporaryDirectory();
  const stream = { descriptor: vmdkDescriptor({ createType: '"streamOptimized"' }), footer: {} };
  const files: readonly (readonly [ForeignFormat, Buffer])[] = [
    ['vmdk', vmdkFile()],
    ['vmdk', vmdkFile(stream)],
    ['vhd', dynamicVhd()],
    ['vhd', fixedVhd()],
    ['vhdx', vhdxFile()],
  ];
  for (const [from, bytes] of files) {
    const path = join(directory.path, 'image');
    await writeFile(path, bytes);
    await convert(directory, { path, from });
    assert.equal((await stat(join(directory.path, 'output'))).size, await accept(path, from), from);
  }
});

test('an image that leads to another file finds nothing there, even if no inspection had been', async () => {
  await using directory = await temporaryDirectory();
  const secret = join(directory.path, 'secret');
  const path = join(directory.path, 'image');
  await writeFile(secret, randomBytes(65_536));
  const extent = `RW 128 FLAT "${secret}" 0`;
  const described = vmdkDescriptor({ createType: '"monolithicFlat"' }).replace(/RW.*/, extent);
  const backed = qcow2File({ backingOffset: 1024n, backingSize: secret.length });
  backed.write(secret, 1024);
  for (const [from, bytes] of [
    ['vmdk', Buffer.from(described)],
    ['qcow2', backed],
  ] as const) {
    await writeFile(path, bytes);
    await assert.rejects(convert(directory, { path, from }), faultOf('CONVERT_FAILED', /secret/), from);
    // without the confinement the same image is converted: what is refused is the file, not the syntax
    const argv = ['convert', '-f', from, '-O', 'raw', path, join(directory.path, 'leak')];
    await runProgram('qemu-img', argv, { signal });
  }
});

test('an image is taken for what it is said to be and for nothing else', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'image');
  await writeFile(path, qcow2File());
  for (const from of ['vmdk', 'vhd', 'vhdx'] as const) {
    await assert.rejects(convert(directory, { path, from }), faultOf('CONVERT_FAILED'), from);
  }
});

test('a result that grows over its limit is stopped by the kernel', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'image');
  await writeFile(path, fixedVhd());
  await assert.rejects(
    convert(directory, { path, from: 'vhd', maxOutputBytes: mebibyte }),
    faultOf('UNPACKED_TOO_LARGE'),
  );
  assert.ok((await stat(join(directory.path, 'output'))).size <= mebibyte);
});

test('a conversion that is cancelled ends with the reason', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'image');
  await writeFile(path, dynamicVhd());
  const cancelled = new FetchFault('CANCELLED', '');
  const abort = new AbortController();
  const running = convert(directory, { path, from: 'vhd', signal: abort.signal });
  setTimeout(() => abort.abort(cancelled), 5);
  await assert.rejects(running, cancelled);
});

test('a result that cannot be created is the fault of the pool', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'image');
  await writeFile(path, fixedVhd());
  const output = join(directory.path, 'missing', 'output');
  await assert.rejects(convert(directory, { path, from: 'vhd', output }), faultOf('POOL_UNAVAILABLE'));
});
