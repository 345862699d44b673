import { type FailureData, failureData } from '@millrace/agent-protocol';
import { hasErrorCode, MillraceError } from '@millrace/core';

/** Failures that the agent itself raises; the image engine and `@millrace/core` have their own. `docs/errors.md` lists them all. */
export const agentErrors = {
  POOL_UNAVAILABLE: 'the pool directory is not there or cannot be used on this host',
  POOL_FOREIGN: 'the directory is the storage pool of another cloud',
  GUARD_FAILED: 'the program that ends instances of a lost host does not run on this host',
  FENCING_FAILED: 'a client that may not use a disk any more cannot be shut out',
  POOL_FULL: 'the pool has no space left',
  POOL_TYPE_UNSUPPORTED: 'this cannot be done on a pool of this type',
  IMAGE_SERVER_OFF: 'the host serves no images to others',
  TEMPLATE_MISSING: 'the template is not on the pool',
  VOLUME_UNREADABLE: 'a volume is not the qcow2 overlay it should be',
  VOLUME_MISSING: 'a volume is not on the pool',
  VOLUME_SIZE_MISSING: 'an empty volume was asked for without its size',
  DISK_BUSY: 'the guest does not let go of a disk',
  CDROM_LOCKED: 'the guest has locked its CD-ROM drive',
  QEMU_IMG_FAILED: 'qemu-img ended with an error or was stopped by its limits',
  LIBVIRT_UNAVAILABLE: 'libvirt does not answer on this host',
  LIBVIRT_FAILED: 'libvirt refused an operation',
  VM_MISSING: 'libvirt does not know the virtual machine',
  VM_NOT_RUNNING: 'the virtual machine does not run on this host',
  CONSOLE_MISSING: 'the virtual machine was started without the console that was asked for',
  MIGRATION_FAILED: 'the virtual machine cannot be moved between these hosts',
  CONFIG_DRIVE_FAILED: 'the drive that hands keys, user data and the password to a guest could not be made',
  VM_NAME_TAKEN: 'another domain has the name of the virtual machine',
  NETWORK_UNAVAILABLE: 'the virtual network cannot be started on this host',
  OPERATION_ID_REUSED: 'an operation id was used for two different methods',
  AGENT_STOPPING: 'the agent is stopping',
  AGENT_FAULT: 'an unexpected error in the agent',
  CANCELLED: 'cancelled by the caller',
  JOIN_REFUSED: 'the server did not admit this host',
  SERVER_NOT_TRUSTED: 'the server is not the one that the join token names',
  SERVER_UNREACHABLE: 'the server could not be reached, or gave no answer',
  IDENTITY_DAMAGED: 'the stored identity of this host cannot be read',
} as const;

export type AgentCode = keyof typeof agentErrors;
export type FailureClass = FailureData['failureClass'];

/** A failed operation as the server's retry policy reads it. (Failed transfers also carry `attempts`: the engine's error does.) */
export class AgentFailure extends MillraceError {
  readonly failureClass: FailureClass;

  constructor(code: string, message: string, options: { cause?: unknown; failureClass?: FailureClass } = {}) {
    super(code, message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'AgentFailure';
    this.failureClass = options.failureClass ?? 'next-host';
  }
}

/** Raises one of the agent's own codes. */
export function fail(code: AgentCode, message: string, cause?: unknown, failureClass?: FailureClass): never {
  throw new AgentFailure(code, message, {
    ...(cause === undefined ? {} : { cause }),
    ...(failureClass === undefined ? {} : { failureClass }),
  });
}

/** True when the server's policy can read it as it is. */
export function isClassified(error: unknown): error is Error {
  return error instanceof Error && failureData.safeParse(error).success;
}

const finalCodes: ReadonlySet<string> = new Set(['CANCELLED', 'REQUEST_MALFORMED']);
const poolErrnos = ['ENOENT', 'ENOTDIR', 'EROFS', 'EIO', 'ESTALE', 'EACCES', 'EPERM', 'ENODEV'] as const;

/**
 * Gives anything thrown by a handler the class that the server's policy needs. Already classified failures (the image
 * engine's too) pass unchanged; a full or broken file system and every unforeseen error concern this host alone, so
 * another one may succeed; a cancellation and a request that no host could carry out stop.
 */
export function classify(error: unknown): Error {
  if (isClassified(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof MillraceError && finalCodes.has(error.code))
    return new AgentFailure(error.code, message, { cause: error, failureClass: 'stop' });
  if (hasErrorCode(error, 'ENOSPC', 'EDQUOT', 'EFBIG'))
    return new AgentFailure('POOL_FULL', `the pool has no space left: ${message}`, { cause: error });
  if (hasErrorCode(error, ...poolErrnos))
    return new AgentFailure('POOL_UNAVAILABLE', `the pool cannot be used: ${message}`, { cause: error });
  if (error instanceof MillraceError) return new AgentFailure(error.code, message, { cause: error });
  return new AgentFailure('AGENT_FAULT', `unexpected error on the host: ${message}`, { cause: error });
}
