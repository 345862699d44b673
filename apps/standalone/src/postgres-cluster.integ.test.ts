import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { runProgram, sleep } from '@millrace/core';
import { logTail, openLog, startChild } from './child-process.ts';
import { type PostgresCluster, postmasterPid, prepareCluster } from './postgres-cluster.ts';
import type { Child } from './supervise.ts';

// the cluster belongs to the user postgres, which only root can become
const skip = process.getuid?.() === 0 ? false : 'needs root';
const signal = AbortSignal.timeout(120_000);

async function scratch(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-postgres-'));
  await chmod(directory, 0o755);
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function run(directory: string, cluster: PostgresCluster): Promise<Child> {
  await using log = await openLog(join(directory, 'postgres.log'));
  const child = startChild(cluster.command, { environment: {}, log, cwd: '/' });
  await cluster.ready(signal);
  return child;
}

async function query(cluster: PostgresCluster, statement: string): Promise<string> {
  const { stdout } = await runProgram('psql', ['-X', '-At', cluster.url, '-c', statement], { signal });
  return stdout.trim();
}

test('a new cluster is durable, listens on a closed socket only, and lets root be millrace', {
  skip,
}, async (t) => {
  const directory = await scratch(t);
  const cluster = await prepareCluster({ directory, signal });
  assert.equal(cluster.created, true);
  const child = await run(directory, cluster);
  try {
    assert.equal(await query(cluster, 'select current_user, current_database()'), 'millrace|millrace');
    assert.equal(await query(cluster, 'show fsync'), 'on');
    assert.equal(await query(cluster, 'show listen_addresses'), '');
    assert.equal((await stat(join(directory, 'socket'))).mode & 0o777, 0o700);
    await query(cluster, 'create table kept (id int); insert into kept values (7)');
    // another role of the machine gets no further than the socket's directory
    await assert.rejects(
      runProgram('psql', ['-X', cluster.url, '-c', 'select 1'], { signal, uid: 65534, gid: 65534, cwd: '/' }),
      /Permission denied/,
    );
  } finally {
    child.kill('SIGINT');
    assert.equal(await child.ended, 'exit code 0');
  }
  const again = await prepareCluster({ directory, signal });
  assert.equal(again.created, false);
  const second = await run(directory, again);
  try {
    assert.equal(await query(again, 'select id from kept'), '7');
  } finally {
    second.kill('SIGINT');
    await second.ended;
  }
  assert.match(await logTail(join(directory, 'postgres.log')), /shut down/);
});

test('the server of a start that died is ended before a new one begins, and nothing is lost', {
  skip,
}, async (t) => {
  const directory = await scratch(t);
  const first = await prepareCluster({ directory, signal });
  const leftover = await run(directory, first);
  await query(first, 'create table kept (id int); insert into kept values (1)');
  const second = await prepareCluster({ directory, signal });
  assert.match(await leftover.ended, /exit code 0/);
  const child = await run(directory, second);
  assert.equal(await query(second, 'select id from kept'), '1');
  // the launcher's end of the pipe goes away when it dies
  child.release();
  assert.equal(await child.ended, 'exit code 0');
  assert.ok(!(await readdir(join(directory, 'data'))).includes('postmaster.pid'));
});

test('a server that is killed recovers what was acknowledged', { skip }, async (t) => {
  const directory = await scratch(t);
  const cluster = await prepareCluster({ directory, signal });
  const child = await run(directory, cluster);
  await query(cluster, 'create table kept (id int); insert into kept values (1)');
  child.kill('SIGKILL');
  assert.equal(await child.ended, 'signal SIGKILL');
  // its children notice a moment later, and until then a new server refuses to start
  for (let tries = 0; ; tries++) {
    const again = await prepareCluster({ directory, signal });
    await using log = await openLog(join(directory, 'postgres.log'));
    const next = startChild(again.command, { environment: {}, log, cwd: '/' });
    const ready = new AbortController();
    const outcome = await Promise.race([
      again.ready(AbortSignal.any([signal, ready.signal])).then(() => 'ready'),
      next.ended,
    ]);
    ready.abort();
    if (outcome !== 'ready') {
      assert.ok(tries < 20, outcome);
      await sleep(100, signal);
      continue;
    }
    assert.equal(await query(again, 'select id from kept'), '1');
    next.kill('SIGINT');
    await next.ended;
    return;
  }
});

test('the process of a pid file is read from its first line', () => {
  assert.equal(postmasterPid('123\n/data\n'), 123);
  assert.equal(postmasterPid(''), undefined);
  assert.equal(postmasterPid('-1\n'), undefined);
  assert.equal(postmasterPid(undefined), undefined);
});
