import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VmSpec } from '@millrace/agent-protocol';
import { describeError, type Logger, sleep } from '@millrace/core';
import { ensureGuard, type GuardPlaces } from './guard.ts';
import { type Hold, makeHoldFiles } from './hold-files.ts';
import { type LeasedPool, type PoolLeases, poolLeases, releasedText } from './pool-leases.ts';
import { uptimeSeconds } from './uptime.ts';

/**
 * The instances of this host that another one starts when this one is lost. Each may run here only until a moment that
 * moves on while the host renews its lease on the instance's pool, or hears from a server; at that moment the guard (see
 * guard.sh) ends it. Whoever wants to start it elsewhere waits for longer than that (docs/decisions/0013).
 */
export interface Holds {
  /** Before an instance starts here, or comes here. @throws AgentFailure `GUARD_FAILED`, `POOL_UNAVAILABLE` */
  hold(vm: VmSpec, signal: AbortSignal): Promise<void>;
  /** It runs here no more, or needs not end by itself. */
  release(vmUuid: string): Promise<void>;
  /** A server answered what was sent at this second of the machine's life. */
  heard(sentAt: number): void;
  /** Renews for as long as the signal allows. */
  run(signal: AbortSignal): Promise<void>;
}

export interface HoldsOptions extends GuardPlaces {
  readonly hostUuid: string;
  readonly log: Logger;
  readonly everyMs?: number;
}

interface HeldPool {
  readonly pool: LeasedPool;
  readonly leases: PoolLeases;
  /** The second at which the last renewal that succeeded began. */
  renewedAt: number;
  /** A pool that hangs is not asked twice. */
  renewing: boolean;
  failing: boolean;
}

/** A storage that hangs is given up by then, where it can be: a lease that comes so late is none. */
const storageWithin = () => AbortSignal.timeout(30_000);

/** A hold without a process is given up after this: its start failed, or its end was not noticed. */
const unusedSeconds = 120;

export function makeHolds(options: HoldsOptions): Holds {
  const { hostUuid, log, everyMs = 1000 } = options;
  const files = makeHoldFiles(options.directory);
  const holds = new Map<string, { readonly hold: Hold; until: number; usedAt: number }>();
  const pools = new Map<string, HeldPool>();
  let heardAt = 0;

  const poolOf = (pool: LeasedPool): HeldPool => {
    const known = pools.get(pool.uuid);
    if (known) return known;
    const fresh = { pool, leases: poolLeases(pool), renewedAt: 0, renewing: false, failing: false };
    pools.set(pool.uuid, fresh);
    return fresh;
  };

  const holdsOn = ({ pool }: HeldPool) =>
    [...holds.values()].filter(({ hold }) => hold.pool.uuid === pool.uuid);

  const renew = async (held: HeldPool, signal: AbortSignal) => {
    const begun = uptimeSeconds();
    await held.leases.write(hostUuid, randomUUID(), signal);
    held.renewedAt = Math.max(held.renewedAt, begun);
  };

  const release = async (vmUuid: string) => {
    const known = holds.get(vmUuid);
    holds.delete(vmUuid);
    await files.remove(vmUuid);
    if (!known) return;
    const held = poolOf(known.hold.pool);
    if (holdsOn(held).length > 0) return;
    pools.delete(held.pool.uuid);
    await held.leases.remove(hostUuid, storageWithin()).catch(() => {});
  };

  /** Ends every instance of a pool, since somebody who cannot reach this host otherwise says so through the pool. */
  const evict = async (held: HeldPool, nonce: string, signal: AbortSignal) => {
    const here = holdsOn(held);
    log.error({ pool: held.pool.uuid, vms: here.length }, 'told by the pool to end its instances here');
    for (const entry of here) {
      entry.until = 0;
      holds.delete(entry.hold.vmUuid);
      await files.extend(entry.hold, 0);
    }
    for (const { hold } of here)
      while (await runsHere(options.pids, hold)) {
        await files.extend(hold, 0);
        await sleep(200, signal);
      }
    for (const { hold } of here) await files.remove(hold.vmUuid);
    pools.delete(held.pool.uuid);
    await held.leases.write(hostUuid, releasedText(nonce), signal);
  };

  /** A lease in a Ceph pool costs the start of a program: it is written a few times in its life, not every second. */
  const restSeconds = (held: HeldPool) =>
    held.pool.rbd ? Math.min(...holdsOn(held).map(({ hold }) => hold.leaseSeconds)) / 5 : 0;

  const renewPool = async (held: HeldPool, signal: AbortSignal) => {
    if (held.renewing || uptimeSeconds() < held.renewedAt + restSeconds(held)) return;
    held.renewing = true;
    try {
      const nonce = await held.leases.readEviction(hostUuid, signal);
      if (nonce !== undefined) {
        await evict(held, nonce, signal);
        return;
      }
      await renew(held, signal);
      // given up while it was written: nothing of it is to stay behind
      if (!pools.has(held.pool.uuid)) await held.leases.remove(hostUuid, signal);
      if (held.failing) log.info({ pool: held.pool.uuid }, 'the lease on the pool is renewed again');
      held.failing = false;
    } catch (error) {
      if (!held.failing && !signal.aborted)
        log.warn(
          { pool: held.pool.uuid, reason: describeError(error) },
          'the lease on the pool is not renewed',
        );
      held.failing = true;
    } finally {
      held.renewing = false;
    }
  };

  const extendAll = async () => {
    const now = uptimeSeconds();
    for (const entry of [...holds.values()]) {
      const { hold } = entry;
      if (await runsHere(options.pids, hold)) entry.usedAt = now;
      else if (now - entry.usedAt > unusedSeconds) {
        await release(hold.vmUuid);
        continue;
      }
      const until = Math.max(poolOf(hold.pool).renewedAt, heardAt) + hold.leaseSeconds;
      // released or evicted while its process was looked for
      if (until <= entry.until || holds.get(hold.vmUuid) !== entry) continue;
      entry.until = until;
      await files.extend(hold, until);
    }
  };

  return {
    release,
    heard(sentAt) {
      heardAt = Math.max(heardAt, sentAt);
    },
    async hold({ uuid, instanceName, pool, ha }, signal) {
      if (!ha) return release(uuid);
      const hold = {
        vmUuid: uuid,
        instanceName,
        pool: { uuid: pool.uuid, path: pool.path, ...(pool.rbd ? { rbd: pool.rbd } : {}) },
        leaseSeconds: ha.leaseSeconds,
      };
      const held = poolOf(hold.pool);
      // a server that can reach this host wants the instance here: what was said through the pool before is over
      await held.leases.removeEviction(hostUuid, signal);
      await renew(held, signal);
      const now = uptimeSeconds();
      const until = held.renewedAt + hold.leaseSeconds;
      await files.store(hold, until);
      holds.set(uuid, { hold, until, usedAt: now });
      await ensureGuard(options, signal);
    },
    async run(signal) {
      for (const { hold, until } of await files.load())
        if (!holds.has(hold.vmUuid)) holds.set(hold.vmUuid, { hold, until, usedAt: uptimeSeconds() });
      while (!signal.aborted) {
        try {
          for (const { hold } of holds.values()) void renewPool(poolOf(hold.pool), signal);
          await extendAll();
          if (holds.size > 0) await ensureGuard(options, signal);
        } catch (error) {
          if (!signal.aborted) log.error({ reason: describeError(error) }, 'leases cannot be kept');
        }
        await sleep(everyMs, signal).catch(() => {});
      }
    },
  };
}

/** Whether QEMU runs for the instance; asked of the process table, since libvirt may not answer. */
async function runsHere(pids: string, { instanceName, vmUuid }: Hold): Promise<boolean> {
  const pid = (await readFile(join(pids, `${instanceName}.pid`), 'utf8').catch(() => '')).trim();
  if (!/^\d+$/.test(pid)) return false;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.split('\0').includes(vmUuid);
}
