import type { PoolReference } from '@millrace/agent-protocol';
import { fileLeases } from './lease-file.ts';
import { radosLeases } from './lease-object.ts';

/** A pool that several hosts reach, on this host. */
export type LeasedPool = Pick<PoolReference, 'uuid' | 'path' | 'rbd'>;

/** What hosts tell each other through a pool alone, each host under its own name. */
export interface PoolLeases {
  /**
   * Shows all hosts of the pool that this one is alive: `text` differs from what was there before.
   * @throws AgentFailure `POOL_UNAVAILABLE` when another file system is mounted there; what the storage says
   */
  write(hostUuid: string, text: string, signal: AbortSignal): Promise<void>;
  /** What a host last showed; undefined when it shows nothing. */
  read(hostUuid: string, signal: AbortSignal): Promise<string | undefined>;
  remove(hostUuid: string, signal: AbortSignal): Promise<void>;
  /** Tells a host to end its instances on this pool. */
  writeEviction(hostUuid: string, nonce: string, signal: AbortSignal): Promise<void>;
  readEviction(hostUuid: string, signal: AbortSignal): Promise<string | undefined>;
  removeEviction(hostUuid: string, signal: AbortSignal): Promise<void>;
}

export function poolLeases(pool: LeasedPool): PoolLeases {
  return pool.rbd ? radosLeases({ ...pool.rbd, pool: pool.path }) : fileLeases(pool);
}

export const leaseName = (hostUuid: string) => `.millrace-lease-${hostUuid}`;
export const evictionName = (hostUuid: string) => `.millrace-evict-${hostUuid}`;

/** What a host shows once its instances have ended because it was told so. */
export function releasedText(nonce: string): string {
  return `released ${nonce}`;
}
