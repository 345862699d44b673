import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { markPool, poolMark, unmarkPool } from './pool-mark.ts';

const [ours, theirs] = ['0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77', '7f0c1f1e-3d55-4a0e-9a38-1c1f0a5a7b11'];

test('a directory is one pool’s, whoever asks again, until that pool’s mark is taken', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-mark-'));
  t.after(() => rm(directory, { recursive: true }));
  assert.equal(await poolMark(directory), undefined);
  await Promise.all([markPool(directory, ours!), markPool(directory, ours!)]);
  await assert.rejects(markPool(directory, theirs!), {
    code: 'POOL_FOREIGN',
    message: /remove \.millrace-pool there/,
  });
  await unmarkPool(directory, theirs!);
  assert.equal(await poolMark(directory), ours);
  await unmarkPool(directory, ours!);
  assert.deepEqual(await readdir(directory), []);
});
