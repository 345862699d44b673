import type { PoolReference } from '@millrace/agent-protocol';
import { rbdImages } from '@millrace/image/rbd-images';
import { fail } from '../failure.ts';
import { rbdPoolOf } from '../storage/rbd-access.ts';
import { rbdImageName, rbdPathOf } from '../storage/rbd-name.ts';
import type { RbdSource } from './domain-xml.ts';

/** An image of an RBD pool as a VM's disk: it must be there. @throws AgentFailure with `missing` */
export async function rbdSourceOf(
  pool: PoolReference,
  fileName: string,
  missing: 'VOLUME_MISSING' | 'TEMPLATE_MISSING',
  signal: AbortSignal,
): Promise<RbdSource> {
  const rbd = rbdPoolOf(pool);
  const name = rbdImageName(fileName);
  if ((await rbdImages(rbd, signal).sizeOf(name)) === undefined)
    fail(missing, `the image ${name} is not in the RBD pool ${pool.path}`);
  return rbdSource(pool, fileName);
}

export function rbdSource(pool: PoolReference, fileName: string): RbdSource {
  const { monitors, user } = rbdPoolOf(pool);
  return { name: rbdPathOf(pool, fileName), monitors, user, secretUuid: pool.uuid };
}
