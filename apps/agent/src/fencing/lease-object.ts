import { MillraceError } from '@millrace/core';
import { type RbdPool, runCeph } from '@millrace/image/rbd-pool';
import { evictionName, leaseName, type PoolLeases } from './pool-leases.ts';

/** Ceph's own programs wait for a cluster that is away; a lease that comes so late is none. */
const answersWithinMs = 10_000;
const attribute = 'text';

/**
 * Leases as objects of a RADOS pool: what is written to one is there whole or not at all, and whoever reads after a write
 * was acknowledged reads it. The text is an attribute of the object, which a program takes and prints as it is.
 */
export function radosLeases(pool: RbdPool): PoolLeases {
  const rados = (argv: readonly string[], signal: AbortSignal) =>
    runCeph(
      pool,
      'rados',
      ['--pool', pool.pool, ...argv],
      AbortSignal.any([signal, AbortSignal.timeout(answersWithinMs)]),
    );
  const write = async (name: string, text: string, signal: AbortSignal) =>
    void (await rados(['setxattr', name, attribute, text], signal));
  const read = (name: string, signal: AbortSignal) =>
    unlessMissing(rados(['getxattr', name, attribute], signal).then((text) => text.trim()));
  const remove = async (name: string, signal: AbortSignal) =>
    void (await unlessMissing(rados(['rm', name], signal)));
  return {
    write: (hostUuid, text, signal) => write(leaseName(hostUuid), text, signal),
    read: (hostUuid, signal) => read(leaseName(hostUuid), signal),
    remove: (hostUuid, signal) => remove(leaseName(hostUuid), signal),
    writeEviction: (hostUuid, nonce, signal) => write(evictionName(hostUuid), nonce, signal),
    readEviction: (hostUuid, signal) => read(evictionName(hostUuid), signal),
    removeEviction: (hostUuid, signal) => remove(evictionName(hostUuid), signal),
  };
}

async function unlessMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof MillraceError && /\(2\) No such file/.test(String(error.details['stderr'] ?? '')))
      return undefined;
    throw error;
  }
}
