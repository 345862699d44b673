/**
 * Failures whose messages tell of the inside of a host (paths, programs, addresses), with what tenants are told instead.
 * Messages of all other codes, the image engine's above all, are about what the tenant asked for.
 */
const textForUsers: Readonly<Record<string, string>> = {
  AGENT_FAULT: 'the host failed unexpectedly',
  AGENT_STOPPING: 'the host is being restarted',
  AGENT_TIMEOUT: 'the host did not answer in time',
  AGENT_UNAVAILABLE: 'the host cannot be reached now',
  LIBVIRT_FAILED: 'the hypervisor of the host refused it',
  LIBVIRT_UNAVAILABLE: 'the hypervisor of the host does not answer',
  NETWORK_UNAVAILABLE: 'the network cannot be started on the host',
  NO_SUITABLE_HOST: 'no host has room for it now',
  POOL_FULL: 'the storage pool has no space left',
  POOL_UNAVAILABLE: 'the storage pool cannot be used',
  POOL_UNREACHABLE: 'the storage pool cannot be reached',
  QEMU_IMG_FAILED: 'the disk could not be processed',
  REMOTE_ERROR: 'the host failed unexpectedly',
  START_UNCERTAIN: 'the host went away while it started the instance; it is known when the host is back',
  UNEXPECTED: 'the server failed unexpectedly',
  VM_NAME_TAKEN: 'the host has another instance of this name',
};

/** What a tenant is told of a failure at a host. */
export function messageForUsers(code: string | null | undefined, message: string): string {
  return (code ? textForUsers[code] : undefined) ?? message;
}
