import { sleep } from '@millrace/core';
import { poolLeases, releasedText } from '../fencing/pool-leases.ts';
import type { Handler } from './handler.ts';

const lookEveryMs = 500;

/**
 * Watches the lease of another host by this host's own clock: between the end of the first look and the begin of the last
 * one nothing changed, so no renewal that began after the first look was made. Clocks of two hosts are never compared.
 */
export function makePoolLeaseWatch(): Handler<'pool.lease.watch'> {
  return async ({ pool, hostUuid, seconds, evict }, { id, signal }) => {
    const leases = poolLeases(pool);
    const released = releasedText(id);
    try {
      if (evict) await leases.writeEviction(hostUuid, id, signal);
      // a host that is told to go has this long to do so; one that is only looked at shows with the first change that it lives
      const deadline = performance.now() + 2 * seconds * 1000;
      let seen = await leases.read(hostUuid, signal);
      let since = performance.now();
      for (;;) {
        if (seen === released) return { outcome: 'released' };
        await sleep(lookEveryMs, signal);
        const begun = performance.now();
        const now = await leases.read(hostUuid, signal);
        if (now !== seen) {
          if (!evict || begun > deadline) return { outcome: 'renewed' };
          seen = now;
          since = performance.now();
        } else if (begun - since >= seconds * 1000) return { outcome: 'silent' };
      }
    } finally {
      // also when the watch is given up
      const within = AbortSignal.timeout(30_000);
      if (evict && (await leases.readEviction(hostUuid, within)) === id)
        await leases.removeEviction(hostUuid, within);
    }
  };
}
