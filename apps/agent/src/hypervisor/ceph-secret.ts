import type { PoolReference } from '@millrace/agent-protocol';
import { withSecretFile } from '@millrace/image/rbd-pool';
import { rbdPoolOf } from '../storage/rbd-access.ts';
import { withDefinitionFile } from './definition-file.ts';
import type { Virsh } from './virsh.ts';
import { xml } from './xml.ts';

/**
 * Gives libvirt the key of an RBD pool, under the pool's UUID (https://libvirt.org/formatsecret.html): in memory alone
 * (`ephemeral`), and told to nobody again (`private`). virsh reads it from an open file without a name, never from `argv`.
 * Given anew before everything that opens a disk, since a libvirt that was restarted has forgotten it.
 */
export async function giveCephSecret(virsh: Virsh, pool: PoolReference, signal: AbortSignal): Promise<void> {
  const rbd = rbdPoolOf(pool);
  const definition = xml`<secret ephemeral='yes' private='yes'>
  <uuid>${pool.uuid}</uuid>
  <usage type='ceph'><name>millrace ${pool.uuid}</name></usage>
</secret>
`.xml;
  await withDefinitionFile(definition, (path) => virsh(['secret-define', path], { signal }));
  await withSecretFile(rbd, (descriptor) =>
    virsh(['secret-set-value', pool.uuid, '--file', '/proc/self/fd/3'], {
      signal,
      descriptors: [descriptor],
    }),
  );
}
