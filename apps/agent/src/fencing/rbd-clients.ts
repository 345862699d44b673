import type { PoolReference } from '@millrace/agent-protocol';
import type { Logger } from '@millrace/core';
import { runCeph } from '@millrace/image/rbd-pool';
import { z } from 'zod';
import { fail } from '../failure.ts';
import { rbdPoolOf } from '../storage/rbd-access.ts';
import { rbdPathOf } from '../storage/rbd-name.ts';

/** The number after an address is of one process and of no other one ever, so a long time costs nobody anything. */
const blockedSeconds = 30 * 24 * 3600;

const clients = z.array(z.object({ address: z.string() }));
const statusOutput = z.object({ watchers: clients });

/**
 * Has the cluster refuse from now on whatever those send who have these images open, or had when they were last heard of.
 * For images that nobody may use at this moment: a machine that was cut off or frozen may still have, or wake with, a QEMU
 * that believes otherwise.
 * @throws AgentFailure `FENCING_FAILED`; MillraceError of Ceph's programs
 */
export async function shutOutRbdClients(
  pool: PoolReference,
  fileNames: readonly string[],
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const rbd = rbdPoolOf(pool);
  const inJson = async (...argv: string[]): Promise<unknown> =>
    JSON.parse(await runCeph(rbd, 'rbd', [...argv, '--format', 'json'], signal));
  for (const fileName of fileNames) {
    const image = rbdPathOf(pool, fileName);
    // a client that has been silent for half a minute watches no more, but keeps the lock that writers have
    const [status, locks] = await Promise.all([inJson('status', image), inJson('lock', 'ls', image)]);
    const found = [...statusOutput.parse(status).watchers, ...clients.parse(locks)];
    for (const address of new Set(found.map((client) => client.address))) {
      log.warn({ image, client: address }, 'another client has a disk open: it is shut out');
      const argv = ['osd', 'blocklist', 'add', address, String(blockedSeconds)];
      await runCeph(rbd, 'ceph', argv, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        fail('FENCING_FAILED', `${address} has ${image} open and cannot be shut out: ${error}`, error);
      });
    }
  }
}
