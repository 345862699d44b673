import type { PoolReference } from '@millrace/agent-protocol';

/** An image in an RBD pool is raw, whatever the extension of the name that the server has for it: its name has none. */
export function rbdImageName(fileName: string): string {
  return fileName.replace(/\.(qcow2|raw|iso)$/, '');
}

/** `POOL/IMAGE`, as Ceph, QEMU and libvirt name it. */
export function rbdPathOf(pool: PoolReference, fileName: string): string {
  return `${pool.path}/${rbdImageName(fileName)}`;
}

/** Lane key: everything that makes, changes or removes one image happens one at a time. */
export function rbdLane(pool: PoolReference, fileName: string): string {
  return `rbd ${pool.uuid} ${rbdImageName(fileName)}`;
}
