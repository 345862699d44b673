import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger, sleep } from '@millrace/core';
import { followFaults, parseFaults } from './follow-faults.ts';
import { type Faults, faultsOf } from './host-faults.ts';
import { imageAt } from './url-faults.ts';

test('a URL says how its image is; a plain one is of ordinary size and good', () => {
  const plain = imageAt('https://images.example/debian.qcow2');
  assert.deepEqual(
    [plain.transferBytes, plain.virtualSizeBytes, plain.faults.size],
    [400_000_000, 2 * 1024 ** 3, 0],
  );
  const odd = imageAt('http://x.example/a?size=1.5&virtual=10&fault=slow,guest-crash,unheard-of');
  assert.deepEqual([odd.transferBytes, odd.virtualSizeBytes], [1_500_000, 10 * 1024 ** 3]);
  assert.deepEqual([...odd.faults], ['slow', 'guest-crash']);
  assert.equal(imageAt('no URL?size=-1').transferBytes, 400_000_000);
});

test('what is said of one host goes before what is said of all', () => {
  const faults = parseFaults('{"*": {"slowTransfers": 20, "noSpace": true}, "sim-2": {"slowTransfers": 1}}');
  assert.deepEqual(faultsOf(faults, 'sim-1'), { slowTransfers: 20, noSpace: true });
  assert.deepEqual(faultsOf(faults, 'sim-2'), { slowTransfers: 1, noSpace: true });
  assert.throws(() => parseFaults('{"sim-1": {"dwon": true}}'), /dwon/);
});

test('the file is read again when it changes, and what cannot be read changes nothing', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'faults-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'faults.json');
  const stopping = new AbortController();
  const { signal } = stopping;
  const seen: Faults[] = [];
  const log = { ...silentLogger, warn: () => void seen.push({ warned: {} }) };
  const ended = followFaults({ path, onChange: (faults) => void seen.push(faults), log, signal });
  const next = async (count: number) => {
    while (seen.length < count) await sleep(20, signal);
  };
  await next(1);
  await writeFile(path, '{"sim-1": {"down": true}}');
  await next(2);
  await writeFile(path, '{"sim-1":');
  await next(3);
  await rm(path);
  await next(4);
  assert.deepEqual(seen, [{}, { 'sim-1': { down: true } }, { warned: {} }, {}]);
  stopping.abort(new Error('done'));
  await ended;
});
