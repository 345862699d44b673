import { describeError, MillraceError } from '@millrace/core';
import { z } from 'zod';
import { FetchFault } from '../errors.ts';
import { type RbdPool, requireRbdName, runCeph } from './rbd-pool.ts';

/** The protected snapshot of every committed image: what clones stand on. */
export const imageSnapshot = 'millrace';
/** What a commit, a transfer or a removal that did not come to its end may have left. */
export const rbdPartialPrefix = '.millrace-partial-';

const listOutput = z.array(z.string());
const infoOutput = z.object({
  size: z.number().int().nonnegative(),
  parent: z
    .object({ pool: z.string(), image: z.string(), trash: z.boolean(), overlap: z.number() })
    .optional(),
});
const usedOutput = z.object({ images: z.array(z.object({ name: z.string(), used_size: z.number() })) });
const statusOutput = z.object({ watchers: z.array(z.unknown()) });
const metaOutput = z.record(z.string(), z.string());
const childrenOutput = z.array(z.object({ pool: z.string(), image: z.string() }));
const snapshotsOutput = z.array(
  z.object({ name: z.string(), protected: z.union([z.boolean(), z.enum(['true', 'false'])]) }),
);
const spaceOutput = z.object({
  pools: z.array(
    z.object({
      name: z.string(),
      stats: z.object({ stored: z.number(), max_avail: z.number(), quota_bytes: z.number() }),
    }),
  ),
});

export interface RbdSpace {
  readonly capacityBytes: number;
  readonly freeBytes: number;
}

/** Images and disks of an RBD pool. Each operation may be repeated after a crash. */
export interface RbdImages {
  list(): Promise<readonly string[]>;
  /** `undefined`: there is none of this name. */
  sizeOf(name: string): Promise<number | undefined>;
  create(name: string, sizeBytes: number): Promise<void>;
  /** Larger, or smaller where `shrink` says so. */
  resize(name: string, sizeBytes: number, options?: { readonly shrink: boolean }): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** What it takes in the pool, its snapshot included and what it stands on not. Of a clone: what was written to it. */
  usedBytes(name: string): Promise<number>;
  /** The image of this pool whose bytes it stands on, when all of its bytes may be that one's. */
  baseOf(name: string): Promise<string | undefined>;
  /** What stands on a committed image, and whether that is an image which others may stand on. */
  standingOn(name: string): Promise<readonly { readonly name: string; readonly committed: boolean }[]>;
  /** Whether somebody has it open, or was killed with it open less than 30 s ago. */
  isOpen(name: string): Promise<boolean>;
  metaOf(name: string, key: string): Promise<string | undefined>;
  setMeta(name: string, key: string, value: string): Promise<void>;
  /** Nothing there is fine. */
  removeMeta(name: string, key: string): Promise<void>;
  /** Makes the snapshot that clones stand on. */
  protect(name: string): Promise<void>;
  /** A disk that stands on a committed image and takes space only for what is written to it. */
  clone(image: string, disk: string): Promise<void>;
  /** Nothing there is fine. An image on which disks stand, or that somebody has open, stays as it is. */
  remove(name: string): Promise<void>;
  /** `undefined` where the cluster does not tell: it has no manager. */
  space(): Promise<RbdSpace | undefined>;
}

export function rbdImages(pool: RbdPool, signal: AbortSignal): RbdImages {
  const run = async (program: 'rbd' | 'ceph', argv: readonly string[]) => {
    try {
      return await runCeph(pool, program, argv, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw faultOf(error, pool);
    }
  };
  const rbd = (...argv: string[]) => run('rbd', argv);
  const named = (name: string) => {
    requireRbdName(name);
    return `${pool.pool}/${name}`;
  };
  const snapshotOf = (name: string) => `${named(name)}@${imageSnapshot}`;
  const snapshots = async (name: string) =>
    snapshotsOutput.parse(JSON.parse(await rbd('snap', 'ls', '--format', 'json', named(name))));
  const images: RbdImages = {
    list: async () => listOutput.parse(JSON.parse(await rbd('ls', '--format', 'json', pool.pool))),
    async sizeOf(name) {
      try {
        return infoOutput.parse(JSON.parse(await rbd('info', '--format', 'json', named(name)))).size;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async usedBytes(name) {
      const found = usedOutput.parse(JSON.parse(await rbd('du', '--format', 'json', named(name))));
      return found.images.reduce((sum, one) => sum + one.used_size, 0);
    },
    async baseOf(name) {
      const { size, parent } = infoOutput.parse(
        JSON.parse(await rbd('info', '--format', 'json', named(name))),
      );
      const whole = parent && parent.pool === pool.pool && !parent.trash && parent.overlap === size;
      return whole ? parent.image : undefined;
    },
    async standingOn(name) {
      const children = childrenOutput.parse(
        JSON.parse(await rbd('children', '--format', 'json', snapshotOf(name))),
      );
      return Promise.all(
        children.map(async ({ pool: place, image }) => ({
          name: image,
          committed:
            place === pool.pool && (await snapshots(image)).some((one) => one.name === imageSnapshot),
        })),
      );
    },
    isOpen: async (name) =>
      statusOutput.parse(JSON.parse(await rbd('status', '--format', 'json', named(name)))).watchers.length >
      0,
    async metaOf(name, key) {
      const printed = (await rbd('image-meta', 'list', '--format', 'json', named(name))).trim();
      return printed === '' ? undefined : metaOutput.parse(JSON.parse(printed))[key];
    },
    async setMeta(name, key, value) {
      await rbd('image-meta', 'set', named(name), key, value);
    },
    async removeMeta(name, key) {
      if ((await images.metaOf(name, key)) !== undefined) await rbd('image-meta', 'remove', named(name), key);
    },
    async create(name, sizeBytes) {
      const features = ['layering', 'exclusive-lock', 'object-map', 'fast-diff'];
      const argv = features.flatMap((feature) => ['--image-feature', feature]);
      await rbd('create', '--size', `${sizeBytes}B`, ...argv, named(name));
    },
    async resize(name, sizeBytes, { shrink } = { shrink: false }) {
      const allowed = shrink ? ['--allow-shrink'] : [];
      await rbd('resize', '--no-progress', '--size', `${sizeBytes}B`, ...allowed, named(name));
    },
    async rename(from, to) {
      await rbd('rename', named(from), named(to));
    },
    async protect(name) {
      const made = (await snapshots(name)).find((snapshot) => snapshot.name === imageSnapshot);
      if (!made) await rbd('snap', 'create', '--no-progress', snapshotOf(name));
      if (String(made?.protected) !== 'true') await rbd('snap', 'protect', snapshotOf(name));
    },
    async clone(image, disk) {
      await rbd('clone', snapshotOf(image), named(disk));
    },
    async remove(name) {
      if ((await images.sizeOf(name)) === undefined) return;
      for (const snapshot of await snapshots(name)) {
        const path = `${named(name)}@${snapshot.name}`;
        if (String(snapshot.protected) === 'true') await rbd('snap', 'unprotect', path);
        await rbd('snap', 'rm', '--no-progress', path);
      }
      await rbd('rm', '--no-progress', named(name));
    },
    async space() {
      const { pools } = spaceOutput.parse(
        JSON.parse(await run('ceph', ['df', 'detail', '--format', 'json'])),
      );
      const found = pools.find(({ name }) => name === pool.pool);
      const { stored = 0, max_avail: available = 0, quota_bytes: quota = 0 } = found?.stats ?? {};
      const freeBytes = quota === 0 ? available : Math.max(0, Math.min(available, quota - stored));
      return available === 0 && stored === 0 ? undefined : { capacityBytes: stored + freeBytes, freeBytes };
    },
  };
  return images;
}

/**
 * Removes what transfers into this pool left that nobody writes any more. One that is still open stays: Ceph takes its
 * writer for alive until 30 s after its last sign of life.
 * @returns what was removed
 */
export async function removeStaleRbdPartials(
  images: RbdImages,
  prefix = rbdPartialPrefix,
  isStale: (name: string) => boolean | Promise<boolean> = () => true,
) {
  const removed: string[] = [];
  for (const name of await images.list()) {
    if (!name.startsWith(prefix) || !(await isStale(name))) continue;
    try {
      await images.remove(name);
      removed.push(name);
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
  }
  return removed;
}

/** Somebody has it open, or disks stand on it. */
export function isBusy(error: unknown): boolean {
  return /watchers|busy|has children|\(16\)|\(39\)/i.test(stderrOf(error));
}

function isMissing(error: unknown): boolean {
  return /\(2\) No such file or directory/.test(stderrOf(error));
}

function stderrOf(error: unknown): string {
  const cause = error instanceof FetchFault ? error.cause : error;
  return cause instanceof MillraceError ? String(cause.details['stderr'] ?? '') : '';
}

function faultOf(error: unknown, pool: RbdPool): Error {
  if (error instanceof FetchFault) return error;
  const code = /No space left|\(28\)|quota/i.test(stderrOf(error)) ? 'POOL_FULL' : 'POOL_UNAVAILABLE';
  return new FetchFault(code, `RBD pool ${pool.pool}: ${describeError(error).slice(-500)}`, { cause: error });
}
