import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { AgentMethods, ParamsOf } from '@millrace/agent-protocol';
import { hasErrorCode, runProgram } from '@millrace/core';
import { makeLanes } from '../lanes.ts';
import { diskInfo } from '../qemu-img/qemu-img.ts';
import { makeVolumeCreate } from './volume-create.ts';
import { makeVolumeRemove } from './volume-remove.ts';

/** Against the real qemu-img. */

const { signal } = new AbortController();
const context = { id: 'op', signal, progress: () => {} };
const mebibyte = 1024 * 1024;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-volumes-'));
  await writeFile(join(directory, 'raw'), Buffer.alloc(mebibyte, 'template '));
  await runProgram(
    'qemu-img',
    ['convert', '-f', 'raw', '-O', 'qcow2', join(directory, 'raw'), join(directory, 'tpl.qcow2')],
    {
      signal,
    },
  );
  await rm(join(directory, 'raw'));
});
afterEach(() => rm(directory, { recursive: true }));

function paramsWith(
  given: Partial<ParamsOf<AgentMethods, 'volume.create'>> = {},
): ParamsOf<AgentMethods, 'volume.create'> {
  return {
    pool: { uuid: '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77', type: 'Filesystem', path: directory },
    path: 'root-1.qcow2',
    backing: { installPath: 'tpl.qcow2', format: 'qcow2' },
    replace: false,
    ...given,
  };
}
const create = (given?: Partial<ParamsOf<AgentMethods, 'volume.create'>>) =>
  makeVolumeCreate({ lanes: makeLanes() })(paramsWith(given), context);
const digestOf = async (name: string) =>
  createHash('sha256')
    .update(await readFile(join(directory, name)))
    .digest('hex');
/** Writes into the disk as a guest would, through QEMU's own block layer. */
const write = (name: string) =>
  runProgram('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 0 64k', join(directory, name)], { signal });

test('a volume is an overlay on its template, closed to others, and shows the template’s bytes', async () => {
  const result = await create();
  assert.equal(result.virtualSizeBytes, mebibyte);
  const path = join(directory, 'root-1.qcow2');
  const info = await diskInfo(path, 'qcow2', signal);
  assert.deepEqual(info.backing, { path: join(directory, 'tpl.qcow2'), format: 'qcow2' });
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal(result.physicalSizeBytes, info.physicalSizeBytes);
  await runProgram(
    'qemu-img',
    ['compare', '-f', 'qcow2', '-F', 'qcow2', path, join(directory, 'tpl.qcow2')],
    { signal },
  );
  assert.deepEqual((await readdir(directory)).toSorted(), ['root-1.qcow2', 'tpl.qcow2']);
});

test('a volume grows to the wanted size and never shrinks below its template', async () => {
  assert.equal((await create({ sizeBytes: 5 * mebibyte })).virtualSizeBytes, 5 * mebibyte);
  assert.equal((await create({ path: 'root-2.qcow2', sizeBytes: 512 })).virtualSizeBytes, mebibyte);
});

test('asked again, the volume with the guest’s data is kept; asked to replace, it is made anew', async () => {
  const before = await digestOf('tpl.qcow2');
  await create({ sizeBytes: 2 * mebibyte });
  await write('root-1.qcow2');
  const written = await digestOf('root-1.qcow2');
  const again = await create({ sizeBytes: 9 * mebibyte });
  assert.equal(again.virtualSizeBytes, 2 * mebibyte);
  assert.equal(await digestOf('root-1.qcow2'), written);
  const anew = await create({ replace: true });
  assert.equal(anew.virtualSizeBytes, mebibyte);
  assert.notEqual(await digestOf('root-1.qcow2'), written);
  assert.equal(await digestOf('tpl.qcow2'), before);
});

test('what a crash left of a volume’s making is neither taken for it nor left', async () => {
  await writeFile(join(directory, '.root-1.qcow2.creating'), 'half a header');
  await create();
  assert.deepEqual((await readdir(directory)).toSorted(), ['root-1.qcow2', 'tpl.qcow2']);
});

test('an empty volume stands on nothing, has the wanted size, and needs one', async () => {
  const { backing: _, ...empty } = paramsWith({ path: 'root-9.qcow2' });
  const handler = makeVolumeCreate({ lanes: makeLanes() });
  assert.equal(
    (await handler({ ...empty, sizeBytes: 7 * mebibyte }, context)).virtualSizeBytes,
    7 * mebibyte,
  );
  const info = await diskInfo(join(directory, 'root-9.qcow2'), 'qcow2', signal);
  assert.equal(info.backing, undefined);
  await assert.rejects(handler({ ...empty, path: 'root-8.qcow2' }, context), (error) =>
    hasErrorCode(error, 'VOLUME_SIZE_MISSING'),
  );
  assert.deepEqual((await readdir(directory)).toSorted(), ['root-9.qcow2', 'tpl.qcow2']);
});

test('a missing template, a missing pool and an unreadable volume are told apart', async () => {
  const backing = { installPath: 'gone.qcow2', format: 'qcow2' } as const;
  await assert.rejects(create({ backing }), (error) => hasErrorCode(error, 'TEMPLATE_MISSING'));
  const pool = { ...paramsWith().pool, path: join(directory, 'unmounted') };
  await assert.rejects(create({ pool }), (error) => hasErrorCode(error, 'POOL_UNAVAILABLE'));
  await writeFile(join(directory, 'root-1.qcow2'), 'no image');
  await assert.rejects(create(), (error) => hasErrorCode(error, 'VOLUME_UNREADABLE'));
  assert.deepEqual((await readdir(directory)).toSorted(), ['root-1.qcow2', 'tpl.qcow2']);
});

test('a raw template whose bytes look like a qcow2 stays raw: its header is never believed', async () => {
  // a guest-made or hostile raw image: a qcow2 header that names a file of the host
  await writeFile(join(directory, 'secret'), 'secret of the host');
  await runProgram(
    'qemu-img',
    [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-b',
      join(directory, 'secret'),
      '-F',
      'raw',
      join(directory, 'tpl.raw'),
      '1M',
    ],
    { signal },
  );
  const { size } = await stat(join(directory, 'tpl.raw'));
  const result = await create({ backing: { installPath: 'tpl.raw', format: 'raw' } });
  // the raw size is the file's; as qcow2 it would be 1 MiB
  assert.equal(result.virtualSizeBytes, Math.ceil(size / 512) * 512);
});

test('removing is durable, removes leftovers, and again is fine', async () => {
  await create();
  await writeFile(join(directory, '.root-1.qcow2.creating'), '');
  const remove = makeVolumeRemove({ lanes: makeLanes() });
  const params = { pool: paramsWith().pool, path: 'root-1.qcow2' };
  await remove(params, context);
  assert.deepEqual(await readdir(directory), ['tpl.qcow2']);
  await remove(params, context);
  await remove({ ...params, pool: { ...params.pool, path: join(directory, 'unmounted') } }, context);
});

test('two requests for one volume at once make one volume', async () => {
  const handler = makeVolumeCreate({ lanes: makeLanes() });
  const results = await Promise.all([1, 2, 3].map(() => handler(paramsWith(), context)));
  assert.deepEqual(results[1], results[0]);
  assert.deepEqual((await readdir(directory)).toSorted(), ['root-1.qcow2', 'tpl.qcow2']);
});
