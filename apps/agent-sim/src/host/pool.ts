import { fail } from '../../../agent/src/failure.ts';
import type { UrlFault } from '../faults/url-faults.ts';

/** A file of a simulated pool: a template's copy, or a disk. */
export interface PoolFile {
  readonly sizeBytes: number;
  readonly virtualSizeBytes: number;
  /** Of a disk: the file it stands on. */
  readonly backing?: string;
  /** What is wrong with guests that start from it. */
  readonly faults: ReadonlySet<UrlFault>;
}

export interface SimulatedPool {
  readonly path: string;
  readonly capacityBytes: number;
  readonly files: Map<string, PoolFile>;
}

export function makePool(path: string, capacityBytes: number): SimulatedPool {
  return { path, capacityBytes, files: new Map() };
}

export function spaceOf(pool: SimulatedPool): {
  readonly capacityBytes: number;
  readonly availableBytes: number;
} {
  let used = 0;
  for (const { sizeBytes } of pool.files.values()) used += sizeBytes;
  return { capacityBytes: pool.capacityBytes, availableBytes: Math.max(0, pool.capacityBytes - used) };
}

/** @throws AgentFailure `POOL_FULL` */
export function requireSpace(pool: SimulatedPool, bytes: number, full: boolean): void {
  if (full || spaceOf(pool).availableBytes < bytes)
    fail('POOL_FULL', `the pool has no space left: ${bytes} bytes do not fit on ${pool.path}`);
}

/** @throws AgentFailure with `code` */
export function requireFile(
  pool: SimulatedPool,
  name: string,
  code: 'TEMPLATE_MISSING' | 'VOLUME_MISSING',
): PoolFile {
  const found = pool.files.get(name);
  if (found) return found;
  return fail(
    code,
    `the ${code === 'TEMPLATE_MISSING' ? 'template' : 'disk'} ${name} is not in ${pool.path}`,
  );
}
