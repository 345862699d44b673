import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { hasErrorCode } from '@millrace/core';
import { makeConsoleLogs } from './console-log.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-console-'));
});
afterEach(() => rm(directory, { recursive: true }));

test('the log is read on from where the last reading ended', async () => {
  const logs = makeConsoleLogs(directory);
  assert.deepEqual(await logs.read('vm', { offset: 0, limit: 10 }), { data: Buffer.alloc(0), nextOffset: 0 });
  await writeFile(logs.pathOf('vm'), 'hello ');
  const first = await logs.read('vm', { offset: 0, limit: 4 });
  assert.deepEqual([first.data.toString(), first.nextOffset], ['hell', 4]);
  await appendFile(logs.pathOf('vm'), 'world');
  const second = await logs.read('vm', { offset: 4, limit: 100 });
  assert.deepEqual([second.data.toString(), second.nextOffset], ['o world', 11]);
  assert.equal((await logs.read('vm', { offset: 11, limit: 100 })).nextOffset, 11);
});

test('a log that was rotated is read from its start', async () => {
  const logs = makeConsoleLogs(directory);
  await writeFile(logs.pathOf('vm'), 'new');
  const read = await logs.read('vm', { offset: 2_000_000, limit: 100 });
  assert.deepEqual([read.data.toString(), read.nextOffset], ['new', 3]);
});

test('removing takes the rotated logs along and nobody else’s', async () => {
  const logs = makeConsoleLogs(directory);
  const names = [
    'vm-serial.log',
    'vm-serial.log.0',
    'vm-serial.log.12',
    'vm-serial.log.bak',
    'vm2-serial.log',
  ];
  for (const name of names) await writeFile(join(directory, name), '');
  await logs.remove('vm');
  assert.deepEqual((await readdir(directory)).toSorted(), ['vm-serial.log.bak', 'vm2-serial.log']);
  await makeConsoleLogs(join(directory, 'missing')).remove('vm');
});

test('a name that leads out of the log directory is refused', () => {
  const logs = makeConsoleLogs(directory);
  for (const name of ['../../etc/passwd', 'a/b', '', '.']) {
    assert.throws(
      () => logs.pathOf(name),
      (error) => hasErrorCode(error, 'VM_MISSING'),
    );
  }
});
