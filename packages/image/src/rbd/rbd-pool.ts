import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError, runProgram } from '@millrace/core';
import { FetchFault } from '../errors.ts';

/** A pool of RADOS block devices, and who may use it. */
export interface RbdPool {
  /** `HOST` or `HOST:PORT` of each monitor, IPv6 addresses in brackets. */
  readonly monitors: readonly string[];
  readonly pool: string;
  /** Without `client.`. */
  readonly user: string;
  /** The key of the user as Ceph prints it, base64. Never in an argument, a message or a log. */
  readonly secret: string;
}

const monitor = /^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?$/i;
const plainName = /^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/;

/**
 * `@`, `/` and `,` mean something in Ceph's and QEMU's notations of an image, a leading `-` to every program.
 * @throws FetchFault `REQUEST_MALFORMED`, which never tells the secret
 */
export function requireRbdPool({ monitors, pool, user, secret }: RbdPool): void {
  if (monitors.length === 0 || !monitors.every((name) => monitor.test(name)))
    throw new FetchFault('REQUEST_MALFORMED', 'the monitors of the RBD pool are not HOST or HOST:PORT');
  requireRbdName(pool);
  requireRbdName(user);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(secret))
    throw new FetchFault('REQUEST_MALFORMED', 'the secret of the RBD pool is not base64');
}

/** @throws FetchFault `REQUEST_MALFORMED` */
export function requireRbdName(name: string): void {
  if (!plainName.test(name))
    throw new FetchFault('REQUEST_MALFORMED', `${JSON.stringify(name)} is no plain name on an RBD pool`);
}

/**
 * Lends the secret as an open file without a name: a program opens it as `/proc/self/fd/N`, and nothing of it is left
 * when the descriptor is closed, however the process ends.
 */
export async function withSecretFile<T>(
  { secret }: Pick<RbdPool, 'secret'>,
  use: (descriptor: number) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-rbd-'));
  const path = join(directory, 'key');
  const file = await open(path, 'wx+', 0o600);
  try {
    await rm(directory, { recursive: true });
    await file.write(secret);
    return await use(file.fd);
  } finally {
    await file.close();
  }
}

/** A cluster that is slow and well answers within a second or two; without a limit a client asks for five minutes. */
const connectWithinSeconds = 30;
/** Fails rather than waits for ever for monitors that do not answer. */
const limitSeconds = 120;

/**
 * Runs `rbd`, `ceph` or `rados` as the pool's user.
 * @returns what it printed
 * @throws MillraceError `PROGRAM_FAILED`, `PROGRAM_MISSING`; the signal's reason when aborted
 */
export async function runCeph(
  pool: RbdPool,
  program: 'rbd' | 'ceph' | 'rados',
  argv: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  requireRbdPool(pool);
  return withSecretFile(pool, async (descriptor) => {
    const patience = program === 'ceph' ? '--connect-timeout' : '--client-mount-timeout';
    const access = [
      patience,
      String(connectWithinSeconds),
      '--conf',
      '/dev/null',
      '-m',
      pool.monitors.join(','),
      '--id',
      pool.user,
    ];
    try {
      const { stdout } = await runProgram(program, [...access, '--keyfile', '/proc/self/fd/3', ...argv], {
        signal: AbortSignal.any([signal, AbortSignal.timeout(limitSeconds * 1000)]),
        descriptors: [descriptor],
      });
      return stdout;
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      const { stderr } = error.details;
      throw new MillraceError(error.code, withoutSecret(pool, error.message), {
        details: {
          ...error.details,
          ...(typeof stderr === 'string' ? { stderr: withoutSecret(pool, stderr) } : {}),
        },
      });
    }
  });
}

/** What a program of Ceph said, fit for others: it prints a key that it cannot read. */
export function withoutSecret({ secret }: Pick<RbdPool, 'secret'>, text: string): string {
  return text.replaceAll(secret, '(the key)');
}
