import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { spawnProgram } from '@millrace/core';
import { makeSlabPool } from '../memory/slab-pool.ts';
import type { ImageWriter } from '../transfer/image-writer.ts';
import { openSlabOutlet } from './slab-outlet.ts';

const slabBytes = 64 * 1024;

/** A writer that hashes what it is given, and takes its time. */
function hashingWriter() {
  const pool = makeSlabPool({ slabBytes, count: 2 });
  const hash = createHash('sha256');
  const { signal } = new AbortController();
  let bytes = 0;
  const writer: Pick<ImageWriter, 'memory' | 'slab' | 'writeSlab' | 'look'> = {
    memory: pool.memory,
    slab: () => pool.acquire(signal),
    look: () => {},
    async writeSlab(slab, length) {
      assert.ok(length === slabBytes || length < slabBytes);
      bytes += length;
      hash.update(slab.bytes.subarray(0, length));
      await new Promise((resolve) => setImmediate(resolve));
      slab.release();
    },
  };
  return { pool, writer: writer as ImageWriter, result: () => ({ bytes, hex: hash.digest('hex') }) };
}

for (const size of [0, 1, slabBytes - 1, slabBytes, slabBytes + 1, 1_000_003]) {
  test(`${size} bytes that a program prints arrive in slabs, each of them once`, async () => {
    const { signal } = new AbortController();
    const { writer, result, pool } = hashingWriter();
    const content = randomBytes(size);
    const outlet = await openSlabOutlet(writer, { tailBytes: 10, signal });
    const child = spawnProgram('cat', [], { signal, stdio: ['pipe', outlet.stdout.fd, 'inherit'] });
    child.once('spawn', () => outlet.stdout.close());
    child.stdin?.end(content);
    assert.deepEqual(await outlet.drained, { bytes: size, tail: content.subarray(-10) });
    assert.deepEqual(result(), { bytes: size, hex: createHash('sha256').update(content).digest('hex') });
    await outlet.close();
    assert.equal(pool.free, 2);
  });
}

test('a writer that refuses ends the reading, and nothing is held', async () => {
  const { signal } = new AbortController();
  const { writer, pool } = hashingWriter();
  const refusing = {
    ...writer,
    writeSlab: async (...[slab]: Parameters<ImageWriter['writeSlab']>) => {
      slab.release();
      throw new Error('refused');
    },
  };
  const outlet = await openSlabOutlet(refusing, { tailBytes: 0, signal });
  const child = spawnProgram('head', ['-c', '1000000', '/dev/zero'], {
    signal,
    stdio: ['ignore', outlet.stdout.fd, 'ignore'],
  });
  child.once('spawn', () => outlet.stdout.close());
  await assert.rejects(outlet.drained, /refused/);
  child.kill();
  await outlet.close();
  assert.equal(pool.free, 2);
});

test('an abort ends the reading', async () => {
  const stop = new AbortController();
  const { writer, pool } = hashingWriter();
  const outlet = await openSlabOutlet(writer, { tailBytes: 0, signal: stop.signal });
  stop.abort(new Error('enough'));
  await assert.rejects(outlet.drained, /enough/);
  await outlet.close();
  assert.equal(pool.free, 2);
});
