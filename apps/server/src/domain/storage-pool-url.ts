import type { PoolReference } from '@millrace/agent-protocol';
import { ApiError, invalidParameter } from '@millrace/api';
import { type RbdPlace, rbdPoolPlace } from './rbd-pool-url.ts';

/** Where a shared storage pool is. Of RBD with the secret. */
export type SharedPoolPlace = Omit<PoolReference, 'uuid' | 'rbd'> & { readonly rbd?: RbdPlace };

/** CloudStack's scheme of each kind of pool that can be created; local ones come with their hosts. */
const kinds = { nfs: 'NetworkFilesystem', sharedmountpoint: 'SharedMountPoint' } as const;

/**
 * Reads the `url` of createStoragePool: `nfs://SERVER/export`, `SharedMountPoint://localhost/mnt/shared`,
 * `rbd://USER:SECRET@MONITOR/POOL`.
 * @throws ApiError 431 naming the rule; 432 for a kind that this release has not
 */
export function sharedPoolPlace(url: string, details: Readonly<Record<string, string>>): SharedPoolPlace {
  const parsed = URL.parse(url.trim());
  const scheme = parsed?.protocol.slice(0, -1).toLowerCase() ?? '';
  if (['iscsi', 'clvm', 'presetup', 'gluster', 'filesystem', 'file'].includes(scheme)) {
    throw new ApiError(
      'UNSUPPORTED_ACTION_ERROR',
      scheme.startsWith('file')
        ? 'local pools come with their hosts: start the agent with MILLRACE_POOL_PATH'
        : `storage pools of the kind ${scheme} are not supported in this release: nfs, rbd and SharedMountPoint are`,
    );
  }
  if (/^\s*rbd:/i.test(url)) {
    const [unknown] = Object.keys(details);
    if (unknown === undefined) return rbdPoolPlace(url.trim());
    throw invalidParameter('details', `${unknown.slice(0, 80)} is not supported for RBD`);
  }
  if (!parsed || (scheme !== 'nfs' && scheme !== 'sharedmountpoint')) {
    throw invalidParameter(
      'url',
      'must be like nfs://SERVER/export, rbd://USER:SECRET@MONITOR/POOL or SharedMountPoint://localhost/mnt/shared',
    );
  }
  const path = decodeURIComponent(parsed.pathname).replace(/\/+$/, '');
  if (!/^\/[^\p{Cc},]+$/u.test(path) || path.split('/').includes('..')) {
    throw invalidParameter('url', 'must have an absolute directory as its path, without commas and ..');
  }
  if (parsed.username || parsed.password || parsed.search || parsed.hash) {
    throw invalidParameter('url', 'must have a host and a path, and nothing else');
  }
  const { 'nfs.mount.options': mountOptions, ...others } = details;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw invalidParameter('details', `${unknown.slice(0, 80)} is not supported; nfs.mount.options is`);
  }
  if (scheme === 'sharedmountpoint') return { type: kinds[scheme], path };
  if (!/^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)$/i.test(parsed.hostname)) {
    throw invalidParameter('url', 'must name the NFS server: nfs://SERVER/export');
  }
  return {
    type: kinds[scheme],
    server: parsed.hostname,
    path,
    ...(mountOptions === undefined ? {} : { mountOptions: mountOptionsOf(mountOptions) }),
  };
}

/** What would let a share run programs as root, or reach the mount's helper, is not to be had. */
const refusedOptions = ['suid', 'dev', 'exec', 'defaults', 'users', 'user', 'owner', 'group', 'bg'];

function mountOptionsOf(text: string): string {
  const options = text.split(',').map((option) => option.trim());
  for (const option of options) {
    if (!/^[a-z0-9_]+(=[A-Za-z0-9_.:/-]+)?$/.test(option)) {
      throw invalidParameter('details', `nfs.mount.options: ${option.slice(0, 40)} is no option of mount`);
    }
    if (refusedOptions.includes(option)) {
      throw invalidParameter('details', `nfs.mount.options: ${option} is not allowed`);
    }
  }
  return options.join(',');
}
