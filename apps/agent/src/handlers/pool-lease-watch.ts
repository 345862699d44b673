import { sleep } from '@millrace/core';
import {
  readEviction,
  readLease,
  releasedText,
  removeEviction,
  writeEviction,
} from '../fencing/lease-file.ts';
import type { Handler } from './handler.ts';

const lookEveryMs = 500;

/**
 * Watches the lease of another host by this host's own clock: between the end of the first look and the begin of the last
 * one nothing changed, so no renewal that began after the first look was made. Clocks of two hosts are never compared.
 */
export function makePoolLeaseWatch(): Handler<'pool.lease.watch'> {
  return async ({ pool, hostUuid, seconds, evict }, { id, signal }) => {
    const released = releasedText(id);
    try {
      if (evict) await writeEviction(pool, hostUuid, id);
      // a host that is told to go has this long to do so; one that is only looked at shows with the first change that it lives
      const deadline = performance.now() + 2 * seconds * 1000;
      let seen = await readLease(pool, hostUuid);
      let since = performance.now();
      for (;;) {
        if (seen === released) return { outcome: 'released' };
        await sleep(lookEveryMs, signal);
        const begun = performance.now();
        const now = await readLease(pool, hostUuid);
        if (now !== seen) {
          if (!evict || begun > deadline) return { outcome: 'renewed' };
          seen = now;
          since = performance.now();
        } else if (begun - since >= seconds * 1000) return { outcome: 'silent' };
      }
    } finally {
      if (evict && (await readEviction(pool, hostUuid)) === id) await removeEviction(pool, hostUuid);
    }
  };
}
