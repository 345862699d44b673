import { mkdir, rmdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { PoolReference } from '@millrace/agent-protocol';
import { describeError, hasErrorCode, runProgram } from '@millrace/core';
import { fail } from '../failure.ts';
import type { Lanes } from '../lanes.ts';
import { mountOf } from './mounts.ts';
import { markPool, poolMark, unmarkPool } from './pool-mark.ts';
import { attachRbdPool, detachRbdPool, requireOwnRbdPool } from './rbd-access.ts';

/** What this host's operator lets the server use. */
export interface PoolAccessOptions {
  readonly lanes: Lanes;
  readonly poolPath?: string | undefined;
  /** Mounted directories that may be pools of the type SharedMountPoint. */
  readonly sharedPaths: readonly string[];
  /** Directories that may be image stores. They are of the type SharedMountPoint too, but nothing has to be mounted there. */
  readonly storePaths: readonly string[];
  /** Where NFS shares are mounted. */
  readonly mountDirectory: string;
}

/** The pools of this host, each with the directory it has here. */
export interface PoolAccess {
  /**
   * The pool with its directory on this host, mounted where it has to be. On a shared pool a mark says whose it is: a share
   * that was not mounted, or another one in its place, is no pool.
   * @throws AgentFailure `POOL_UNAVAILABLE`
   */
  resolve(pool: PoolReference, signal: AbortSignal): Promise<PoolReference>;
  /** Makes a shared pool accessible; the `first` host marks it. @throws AgentFailure `POOL_UNAVAILABLE`, `POOL_FOREIGN` */
  attach(pool: PoolReference, options: { first: boolean; signal: AbortSignal }): Promise<PoolReference>;
  /** Takes the mount away; the `last` host takes the mark. Nothing there is fine. */
  detach(pool: PoolReference, options: { last: boolean; signal: AbortSignal }): Promise<void>;
}

const mountTimeoutMs = 60_000;

export function makePoolAccess(options: PoolAccessOptions): PoolAccess {
  /** Where the pool is here, whether or not anything is mounted there. */
  const directoryOf = (pool: PoolReference): string => {
    switch (pool.type) {
      case 'Filesystem':
        if (options.poolPath !== undefined && resolve(pool.path) === resolve(options.poolPath))
          return pool.path;
        return fail(
          'POOL_UNAVAILABLE',
          `${pool.path} is not the storage pool of this host: set MILLRACE_POOL_PATH of its agent if it should be`,
        );
      case 'SharedMountPoint':
        if (
          [...options.sharedPaths, ...options.storePaths].some((path) => resolve(path) === resolve(pool.path))
        )
          return resolve(pool.path);
        return fail(
          'POOL_UNAVAILABLE',
          `${pool.path} is no directory that this host offers: add it to MILLRACE_SHARED_PATHS of its agent if it should be a storage pool, to MILLRACE_STORE_PATHS if an image store`,
        );
      case 'NetworkFilesystem':
        // the server chooses no path on this host
        return join(options.mountDirectory, pool.uuid);
      case 'RBD':
        return fail('POOL_UNAVAILABLE', `the RBD pool ${pool.path} is no directory`);
    }
  };

  const isStore = (directory: string) => options.storePaths.some((path) => resolve(path) === directory);

  const makeMounted = async (pool: PoolReference, directory: string, signal: AbortSignal) => {
    if (pool.type === 'SharedMountPoint' && isStore(directory)) {
      await mkdir(directory, { recursive: true, mode: 0o711 });
      return;
    }
    const mount = await mountOf(directory);
    if (pool.type === 'SharedMountPoint') {
      if (!mount)
        fail('POOL_UNAVAILABLE', `nothing is mounted on ${directory}: mount the shared file system there`);
      return;
    }
    const source = `${pool.server ?? ''}:${pool.path}`;
    if (mount && mount.source === source) return;
    if (mount)
      fail(
        'POOL_UNAVAILABLE',
        `${mount.source} is mounted on ${directory}, where ${source} should be: unmount it`,
      );
    await mkdir(directory, { recursive: true, mode: 0o711 });
    await mountShare(source, directory, pool.mountOptions, signal);
  };

  /** Several requests for one pool mount it once. */
  const prepared = async (pool: PoolReference, signal: AbortSignal): Promise<PoolReference> => {
    const directory = directoryOf(pool);
    if (pool.type !== 'Filesystem')
      await options.lanes.run(`mount ${directory}`, signal, () => makeMounted(pool, directory, signal));
    return { ...pool, path: directory };
  };

  /** RBD pools whose mark was seen: a cluster does not change under its monitors' names as a mount may. */
  const ownRbdPools = new Set<string>();
  const rbdKey = (pool: PoolReference) => JSON.stringify([pool.uuid, pool.path, pool.rbd]);

  return {
    async resolve(pool, signal) {
      if (pool.type === 'RBD') {
        if (!ownRbdPools.has(rbdKey(pool))) await requireOwnRbdPool(pool, signal);
        ownRbdPools.add(rbdKey(pool));
        return pool;
      }
      const here = await prepared(pool, signal);
      if (pool.type === 'Filesystem') return here;
      const mark = await poolMark(here.path);
      if (mark === pool.uuid) return here;
      return fail(
        'POOL_UNAVAILABLE',
        mark === undefined
          ? `${here.path} has no mark of a storage pool: is the right file system mounted there?`
          : `${here.path} is the storage pool ${mark}, not ${pool.uuid}: another file system is mounted there`,
      );
    },
    async attach(pool, { first, signal }) {
      if (pool.type === 'RBD') {
        ownRbdPools.delete(rbdKey(pool));
        if (first) await attachRbdPool(pool, signal);
        return this.resolve(pool, signal);
      }
      const here = await prepared(pool, signal);
      if (first && pool.type !== 'Filesystem') await markPool(here.path, pool.uuid);
      return this.resolve(pool, signal);
    },
    async detach(pool, { last, signal }) {
      if (pool.type === 'RBD') {
        ownRbdPools.delete(rbdKey(pool));
        if (last) await detachRbdPool(pool, signal);
        return;
      }
      const directory = directoryOf(pool);
      if (pool.type === 'Filesystem') return;
      if (last) await unmarkPool(directory, pool.uuid);
      if (pool.type === 'SharedMountPoint') return;
      await options.lanes.run(`mount ${directory}`, signal, async () => {
        if (await mountOf(directory)) await runProgram('umount', [directory], { signal });
        await rmdir(directory).catch((error: unknown) => {
          if (!hasErrorCode(error, 'ENOENT')) throw error;
        });
      });
    },
  };
}

async function mountShare(
  source: string,
  directory: string,
  mountOptions: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const timeout = AbortSignal.timeout(mountTimeoutMs);
  // nothing on a share is ever run, and no device of it opened
  const given = ['nosuid', 'nodev', 'noexec', ...(mountOptions === undefined ? [] : [mountOptions])].join(
    ',',
  );
  try {
    await runProgram('mount', ['-t', 'nfs', '-o', given, source, directory], {
      signal: AbortSignal.any([signal, timeout]),
    });
  } catch (error) {
    signal.throwIfAborted();
    const reason = timeout.aborted ? `no answer within ${mountTimeoutMs / 1000} s` : describeError(error);
    fail(
      'POOL_UNAVAILABLE',
      `${source} cannot be mounted: ${reason.trim()} (the package nfs-common is needed, and the server must let this host write as root)`,
      error,
    );
  }
}
