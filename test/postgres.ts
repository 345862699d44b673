import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { access, chmod, chown, mkdir, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { runProgram, sleep, spawnProgram } from '@millrace/core';
import { sql } from 'kysely';
import { type Database, openDatabase } from '../apps/server/src/store/database.ts';
import { migrate } from '../apps/server/src/store/migrate.ts';
import { type SecretKeys, secretKeys } from '../apps/server/src/store/secret-keys.ts';

export interface TestDatabase {
  /** For `DATABASE_URL` of a process under test. */
  readonly url: string;
  readonly database: Database;
}

interface Cluster {
  readonly directory: string;
  readonly keys: SecretKeys;
  count: number;
}

const templateName = 'millrace_template';
const startTimeoutMs = 60_000;
/** Debian keeps the server programs of each major version outside PATH. */
const debianDirectory = '/usr/lib/postgresql';

/**
 * The cluster of this test process, made when the first test asks. One per process: initdb costs more than all the
 * databases of a test file together.
 */
const cluster = (() => {
  let started: Promise<Cluster> | undefined;
  return () => {
    started ??= startCluster();
    return started;
  };
})();

/**
 * An empty, migrated database of its own for one test, on a throw-away PostgreSQL (unix socket in a temporary
 * directory, fsync off), with secrets sealed. Dropped when the test ends; the server ends with the process, also when
 * that is killed.
 */
export async function withTestDatabase(t: TestContext): Promise<TestDatabase> {
  const server = await cluster();
  server.count += 1;
  const name = `test_${server.count}`;
  await administer(server, `create database ${name} template ${templateName}`);
  const url = urlOf(server, name);
  const database = openDatabase(url, { keys: server.keys });
  t.after(async () => {
    await database.destroy();
    await administer(server, `drop database if exists ${name} with (force)`);
  });
  return { url, database };
}

async function startCluster(): Promise<Cluster> {
  const programs = await findPrograms();
  const directory = mkdtempSync(join(tmpdir(), 'millrace-pg-'));
  const data = join(directory, 'data');
  const owner = await unprivilegedOwner();
  await mkdir(data);
  await chmod(directory, 0o755);
  if (owner) await Promise.all([directory, data].map((path) => chown(path, owner.uid, owner.gid)));
  const signal = AbortSignal.timeout(startTimeoutMs);
  const identity = owner ? [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups'] : [];
  await runProgram(
    'setpriv',
    [
      ...identity,
      '--',
      join(programs, 'initdb'),
      ...['-D', data, '-U', 'millrace', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8'],
      ...['--no-sync', '--no-instructions'],
    ],
    { signal, cwd: '/' },
  );
  // a pipe to us would keep the process alive; PostgreSQL logs into the directory
  const child = spawnProgram(
    'setpriv',
    [
      ...identity,
      // SIGQUIT is PostgreSQL's immediate shutdown: a killed test run leaves no server behind
      '--pdeathsig=QUIT',
      '--',
      join(programs, 'postgres'),
      ...['-D', data, '-k', directory],
      ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    { signal: new AbortController().signal, cwd: '/', stdio: ['ignore', 'ignore', 'ignore'] },
  );
  child.unref();
  process.once('exit', () => {
    child.kill('SIGQUIT');
    // only synchronous work is possible here; PostgreSQL removes this file as its last act
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let i = 0; i < 200 && existsSync(join(data, 'postmaster.pid')); i++) Atomics.wait(pause, 0, 0, 10);
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });
  const server: Cluster = { directory, keys: secretKeys([randomBytes(32)]), count: 0 };
  await untilAnswers(server, signal);
  await administer(server, `create database ${templateName}`);
  const template = openDatabase(urlOf(server, templateName), { poolSize: 1 });
  await migrate(template);
  await template.destroy();
  return server;
}

const settings: readonly (readonly [string, string])[] = [
  ['listen_addresses', ''],
  ['fsync', 'off'],
  ['synchronous_commit', 'off'],
  ['full_page_writes', 'off'],
  ['shared_buffers', '32MB'],
  ['max_connections', '100'],
  ['logging_collector', 'on'],
  ['autovacuum', 'off'],
];

async function untilAnswers(server: Cluster, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await administer(server, 'select 1');
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      await sleep(50, signal);
    }
  }
}

async function administer(server: Cluster, statement: string): Promise<void> {
  const database = openDatabase(urlOf(server, 'postgres'), { poolSize: 1 });
  try {
    await sql.raw(statement).execute(database);
  } finally {
    await database.destroy();
  }
}

function urlOf(server: Cluster, name: string): string {
  return `postgresql://millrace@/${name}?host=${encodeURIComponent(server.directory)}`;
}

async function findPrograms(): Promise<string> {
  const versions = (await readdir(debianDirectory).catch(() => [])).sort((a, b) => Number(b) - Number(a));
  for (const version of versions) {
    const directory = join(debianDirectory, version, 'bin');
    const there = await access(join(directory, 'postgres')).then(
      () => true,
      () => false,
    );
    if (there) return directory;
  }
  throw new Error(`no PostgreSQL below ${debianDirectory}: install the package postgresql`);
}

/** PostgreSQL refuses to run as root: its package's user owns the cluster then. */
async function unprivilegedOwner(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((l) => l.startsWith('postgres:'));
  if (!line) throw new Error('there is no user postgres: install the package postgresql');
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}
