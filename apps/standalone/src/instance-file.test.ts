import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { freeNetwork } from './guest-network.ts';
import { readInstanceFile, storeInstanceFile } from './instance-file.ts';

test('decisions of the first start are read back, and a damaged file is told', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-instance-'));
  t.after(() => rm(directory, { recursive: true }));
  assert.equal(await readInstanceFile(directory), undefined);
  const content = { network: freeNetwork('2a10beef', []), bootstrapped: true };
  await storeInstanceFile(directory, content);
  assert.deepEqual(await readInstanceFile(directory), content);
  for (const text of ['{', '[]', '{"network": {"cidr": "10.1.2.0/24"}}']) {
    await writeFile(join(directory, 'instance.json'), text);
    await assert.rejects(readInstanceFile(directory), /damaged/);
  }
});
