import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { makeBatchedWriter } from './batched-writer.ts';

/** An image whose writes end when they are told to. */
function makeSlowImage() {
  const pending: { readonly chunk: Buffer; readonly end: (error?: Error) => void }[] = [];
  const written: Buffer[] = [];
  return {
    pending,
    written,
    write(chunk: Buffer): Promise<void> {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const end = (error?: Error) => {
        if (error) return reject(error);
        written.push(chunk);
        return resolve();
      };
      pending.push({ chunk, end });
      return promise;
    },
  };
}

test('bytes arrive in order and in large pieces, the rest with the flush', async () => {
  const pieces: Buffer[] = [];
  const write = async (chunk: Buffer) => {
    pieces.push(chunk);
  };
  const content = randomBytes(10_050);
  const writer = makeBatchedWriter({ write }, 1000);
  for (let at = 0; at < content.length; at += 300) await writer.write(content.subarray(at, at + 300));
  await writer.flush();
  assert.deepEqual(Buffer.concat(pieces), content);
  assert.ok(pieces.length <= 11, `${pieces.length} writes`);
});

test('one write is under way at a time, and whoever comes with the next batch waits for it', async () => {
  const image = makeSlowImage();
  const writer = makeBatchedWriter(image, 10);
  await writer.write(Buffer.alloc(10, 'a'));
  let taken = false;
  const second = writer.write(Buffer.alloc(10, 'b')).then(() => {
    taken = true;
  });
  await new Promise(setImmediate);
  assert.deepEqual([image.pending.length, taken], [1, false]);
  image.pending[0]!.end();
  await second;
  assert.equal(image.pending.length, 2);
  image.pending[1]!.end();
  await writer.flush();
  assert.equal(Buffer.concat(image.written).toString(), 'aaaaaaaaaabbbbbbbbbb');
});

test('a write that failed fails the next one, or the flush', async () => {
  for (const ask of ['write', 'flush'] as const) {
    const image = makeSlowImage();
    const writer = makeBatchedWriter(image, 10);
    await writer.write(Buffer.alloc(10));
    image.pending[0]!.end(new Error('disk full'));
    await assert.rejects(ask === 'flush' ? writer.flush() : writer.write(Buffer.alloc(10)), /disk full/);
  }
});
