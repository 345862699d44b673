import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startStand } from './stand.ts';

const inDirectory = async (work: (directory: string) => Promise<void>) => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};
const { signal } = new AbortController();
const shell = (directory: string, script: string) => ({ file: 'sh', argv: ['-c', script], directory });
const wrapper = new URL('../peers/stand.sh', import.meta.url).pathname;

test('what a child of a child wrote and used is counted', () =>
  inDirectory(async (directory) => {
    const writing = 'sh -c "dd if=/dev/zero of=file bs=1M count=3 status=none; sync file; :"; :';
    const argv = [wrapper, 'sh', '-c', writing];
    const stand = await startStand({ file: 'sh', argv, directory }, signal);
    try {
      const run = await stand.run('go', signal);
      const again = await stand.run('go', signal);
      assert.ok(run.writtenBytes >= 3 * 1024 ** 2, `${run.writtenBytes}`);
      assert.ok(again.writtenBytes < 2 * run.writtenBytes, 'the second run counts for itself');
      assert.ok(run.largestProcessBytes > 0 && run.seconds > 0);
    } finally {
      await stand.kill();
    }
  }));

test('a failed run says why, and the next one is possible', () =>
  inDirectory(async (directory) => {
    const argv = [wrapper, 'sh', '-c', 'test -e file || { echo no file >&2; : >file; exit 3; }'];
    const stand = await startStand({ file: 'sh', argv, directory }, signal);
    try {
      await assert.rejects(stand.run('go', signal), /exit code 3: no file/);
      await stand.run('go', signal);
    } finally {
      await stand.kill();
    }
  }));

test('a process that times itself is believed', () =>
  inDirectory(async (directory) => {
    const stand = await startStand(shell(directory, 'echo ready; read -r _; echo ok 12.5; cat'), signal);
    assert.equal((await stand.run('go', signal)).seconds, 12.5);
    await stand.kill();
  }));

test('killing ends what was started, too', () =>
  inDirectory(async (directory) => {
    const script = 'echo ready; sh -c "echo \\$\\$ >pid; echo ok; sleep 60; :"; :';
    const stand = await startStand(shell(directory, script), signal);
    await stand.run('go', signal);
    await stand.kill();
    const pid = (await readFile(join(directory, 'pid'), 'utf8')).trim();
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tZ');
    // whoever inherits orphans may not have looked after it yet
    assert.match(status, /State:\t[ZX]/);
  }));

test('a program that cannot be started says so', () =>
  inDirectory(async (directory) => {
    await assert.rejects(startStand({ file: 'no-such-program', argv: [], directory }, signal), /ENOENT/);
  }));
