import { access, chmod, chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode, MillraceError, runProgram, sleep } from '@millrace/core';
import { type CommandLine, type Identity, keptAs } from './programs.ts';

/** The instance's private PostgreSQL: its files and how to run it. */
export interface PostgresCluster {
  /** Runs it as the user postgres; it ends in order when its standard input does. */
  readonly command: CommandLine;
  /** For DATABASE_URL of programs that run as root. */
  readonly url: string;
  readonly version: string;
  /** True when the cluster was made now. */
  readonly created: boolean;
  /** Waits until it answers, and makes role and database when they are missing. */
  ready(signal: AbortSignal): Promise<void>;
}

export interface ClusterOptions {
  /** As the user postgres can reach it. */
  readonly directory: string;
  /** Nobody minds when a crash of the machine loses it: then nothing waits for the disk. */
  readonly volatile?: boolean;
  readonly signal: AbortSignal;
}

const programsDirectory = '/usr/lib/postgresql';
const databaseName = 'millrace';
const roleName = 'millrace';
const operatingSystemUser = 'postgres';
const initTimeoutMs = 120_000;
const readyTimeoutMs = 120_000;

/** Small, since one machine is served; durable, since acknowledged calls must survive a crash of the machine. */
const settings: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  shared_buffers: '32MB',
  max_connections: '60',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  log_line_prefix: '%m [%p] ',
  log_timezone: 'UTC',
};

const volatileSettings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } as const;

/**
 * The socket's directory is closed to everybody but root and postgres. Even so nobody is trusted: the kernel tells
 * PostgreSQL who is at the other end, and root's processes may be the role millrace.
 */
const clientRules = `# written by Millrace at every start
local all ${operatingSystemUser} peer
local ${databaseName} ${roleName} peer map=launcher
`;
const identityRules = `# written by Millrace at every start
launcher root ${roleName}
`;

/**
 * Prepares the cluster in `directory` (made and owned as it must be), ending what a crashed start has left running.
 * @throws MillraceError `POSTGRES_UNAVAILABLE` when no fitting PostgreSQL is installed
 */
export async function prepareCluster({
  directory,
  volatile,
  signal,
}: ClusterOptions): Promise<PostgresCluster> {
  const user = await findUser();
  const data = join(directory, 'data');
  const sockets = join(directory, 'socket');
  await own(directory, user);
  await own(sockets, user);
  const made = await clusterVersion(data);
  const programs = await findPrograms(made);
  if (made === undefined) await createCluster({ directory, data, programs, user, signal });
  await stopLeftover(data, signal);
  for (const [name, text] of [
    ['pg_hba.conf', clientRules],
    ['pg_ident.conf', identityRules],
  ] as const) {
    const path = join(data, name);
    await writeFile(path, text, { mode: 0o600 });
    await chown(path, user.uid, user.gid);
  }
  const run = (program: string, argv: readonly string[], runSignal: AbortSignal) =>
    // the working directory must be one that postgres may enter
    runProgram(join(programs, program), argv, { signal: runSignal, cwd: '/', ...user });
  const options = Object.entries({ ...settings, ...(volatile ? volatileSettings : {}) }).flatMap(
    ([name, value]) => ['-c', `${name}=${value}`],
  );
  return {
    command: keptAs(user, {
      file: join(programs, 'postgres'),
      argv: ['-D', data, '-k', sockets, ...options],
    }),
    url: `postgresql://${roleName}@/${databaseName}?host=${encodeURIComponent(sockets)}`,
    version: (await clusterVersion(data)) ?? '?',
    created: made === undefined,
    ready: (readySignal) => becomeReady(run, sockets, readySignal),
  };
}

type Run = (
  program: string,
  argv: readonly string[],
  signal: AbortSignal,
) => Promise<{ readonly stdout: string }>;

async function becomeReady(run: Run, sockets: string, signal: AbortSignal): Promise<void> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(readyTimeoutMs)]);
  const query = async (statement: string) =>
    (
      await run(
        'psql',
        ['-X', '-At', '-v', 'ON_ERROR_STOP=1', '-h', sockets, '-d', 'postgres', '-c', statement],
        bounded,
      )
    ).stdout.trim();
  for (;;) {
    try {
      await run('pg_isready', ['-q', '-h', sockets], bounded);
      break;
    } catch (error) {
      if (!hasErrorCode(error, 'PROGRAM_FAILED')) throw error;
      await sleep(50, bounded);
    }
  }
  // each on its own, so that a start that was cut short between them is completed by the next
  if ((await query(`select 1 from pg_roles where rolname = '${roleName}'`)) === '') {
    await query(`create role ${roleName} login`);
  }
  if ((await query(`select 1 from pg_database where datname = '${databaseName}'`)) === '') {
    await query(`create database ${databaseName} owner ${roleName}`);
  }
}

interface CreateOptions {
  readonly directory: string;
  readonly data: string;
  readonly programs: string;
  readonly user: Identity;
  readonly signal: AbortSignal;
}

/** Under another name first: a cluster that is there is a whole one. */
async function createCluster({ directory, data, programs, user, signal }: CreateOptions): Promise<void> {
  const partial = join(directory, 'data.partial');
  await rm(partial, { recursive: true, force: true });
  await runProgram(
    join(programs, 'initdb'),
    [
      ...['-D', partial, '-U', operatingSystemUser, '-E', 'UTF8', '--locale=C.UTF-8'],
      ...['--auth-local=peer', '--auth-host=reject', '--no-instructions'],
    ],
    {
      signal: AbortSignal.any([signal, AbortSignal.timeout(initTimeoutMs)]),
      cwd: '/',
      uid: user.uid,
      gid: user.gid,
    },
  );
  await rename(partial, data);
}

/** A server that has outlived its launcher's death by a moment, or whose launcher never told it to end. */
async function stopLeftover(data: string, signal: AbortSignal): Promise<void> {
  const pid = postmasterPid(await readIfThere(join(data, 'postmaster.pid')));
  if (pid === undefined) return;
  const deadline = performance.now() + 60_000;
  let asked = false;
  while (await isServerOf(pid, data)) {
    const left = deadline - performance.now();
    // fast shutdown first, immediate shutdown (which recovers at the next start) when that takes too long
    if (!asked) process.kill(pid, 'SIGINT');
    else if (left < 30_000) process.kill(pid, 'SIGQUIT');
    asked = true;
    if (left < 0) {
      throw new MillraceError(
        'POSTGRES_UNAVAILABLE',
        `PostgreSQL of an earlier start (process ${pid}) does not end. End it by hand: kill -QUIT ${pid}`,
      );
    }
    await sleep(50, signal);
  }
}

/** The first line of `postmaster.pid`. */
export function postmasterPid(text: string | undefined): number | undefined {
  const pid = Number(text?.split('\n', 1)[0]?.trim());
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

async function isServerOf(pid: number, data: string): Promise<boolean> {
  const commandLine = await readIfThere(`/proc/${pid}/cmdline`);
  if (commandLine === undefined) return false;
  const argv = commandLine.split('\0');
  return argv[0]?.endsWith('/postgres') === true && argv.includes(data);
}

async function clusterVersion(data: string): Promise<string | undefined> {
  return (await readIfThere(join(data, 'PG_VERSION')))?.trim();
}

async function findPrograms(version: string | undefined): Promise<string> {
  const installed = (await readdir(programsDirectory).catch(() => []))
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(b) - Number(a));
  for (const candidate of version === undefined ? installed : [version]) {
    const directory = join(programsDirectory, candidate, 'bin');
    const there = await access(join(directory, 'postgres')).then(
      () => true,
      () => false,
    );
    if (there) return directory;
  }
  throw new MillraceError(
    'POSTGRES_UNAVAILABLE',
    version === undefined
      ? `There is no PostgreSQL server below ${programsDirectory}. Install it: apt-get install postgresql`
      : `The database was made by PostgreSQL ${version}, which is not installed (found: ${installed.join(', ') || 'none'}). ` +
          `Install it: apt-get install postgresql-${version}`,
  );
}

async function findUser(): Promise<Identity> {
  const line = (await readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .find((entry) => entry.startsWith(`${operatingSystemUser}:`));
  const [, , uid, gid] = (line ?? '').split(':').map(Number);
  if (uid === undefined || gid === undefined) {
    throw new MillraceError(
      'POSTGRES_UNAVAILABLE',
      `There is no user ${operatingSystemUser}, which Debian's package postgresql makes. Install it again: apt-get install --reinstall postgresql-common`,
    );
  }
  return { uid, gid };
}

async function own(directory: string, user: Identity): Promise<void> {
  await mkdir(directory, { recursive: true });
  await chown(directory, user.uid, user.gid);
  await chmod(directory, 0o700);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}
