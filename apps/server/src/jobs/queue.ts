import type { Executor } from '../store/database.ts';

/** Commands that run as jobs, with the parameters each keeps. Everything a job needs is in the rows these ids name. */
export interface JobParameters {
  deployVirtualMachine: { vmId: number; startVm: boolean; rootDiskSizeBytes?: number; hostId?: number };
  startVirtualMachine: { vmId: number; hostId?: number };
  stopVirtualMachine: { vmId: number; forced: boolean };
  rebootVirtualMachine: { vmId: number; forced: boolean };
  destroyVirtualMachine: { vmId: number; expunge: boolean };
  expungeVirtualMachine: { vmId: number };
  restoreVirtualMachine: { vmId: number; templateId?: number; rootDiskSizeBytes?: number };
  /** With a zone: only from there. */
  deleteTemplate: { templateId: number; forced: boolean; zoneId?: number };
  createVolume: { volumeId: number; vmId?: number };
  attachVolume: { volumeId: number; vmId: number; position: number };
  detachVolume: { volumeId: number; vmId: number };
  resizeVolume: { volumeId: number; vmId?: number; sizeBytes: number };
  migrateVirtualMachine: { vmId: number; hostId?: number };
  prepareHostForMaintenance: { hostId: number };
  cancelHostMaintenance: { hostId: number };
  declareHostAsDegraded: { hostId: number };
  cancelHostAsDegraded: { hostId: number };
  /** Not an API command: the server itself begins it. */
  recoverLostHost: { hostId: number };
  reconnectHost: { hostId: number };
  deleteNetwork: { networkId: number };
  enableStorageMaintenance: { poolId: number };
  cancelStorageMaintenance: { poolId: number };
  deleteIso: { templateId: number; forced: boolean; zoneId?: number };
  resetPasswordForVirtualMachine: { vmId: number };
  resetSSHKeyForVirtualMachine: { vmId: number };
  attachIso: { vmId: number; isoId: number; forced: boolean };
  detachIso: { vmId: number; forced: boolean };
  /** The call has done it: clients expect a job all the same. */
  copyTemplate: { templateId: number };
  updateNetwork: { networkUuid: string };
  createPhysicalNetwork: { networkUuid: string };
  updatePhysicalNetwork: { networkUuid: string };
  deletePhysicalNetwork: object;
  updateNetworkServiceProvider: { networkUuid: string };
  addTrafficType: { trafficTypeUuid: string };
  scaleVirtualMachine: object;
  createTags: object;
  deleteTags: object;
  deleteDomain: object;
  deleteAccount: object;
  disableAccount: { accountUuid: string };
  disableUser: { userUuid: string };
  prepareTemplate: { templateId: number; poolIds: readonly number[] };
  verifyTemplate: { templateId: number; poolId: number };
  extractTemplate: { templateId: number; zoneId?: number };
  extractIso: { templateId: number; zoneId?: number };
  evictTemplate: { templateId: number; poolId: number };
}

export type JobCommand = keyof JobParameters;

export interface JobRequest<C extends JobCommand = JobCommand> {
  readonly command: C;
  readonly parameters: JobParameters[C];
  readonly userId: number;
  readonly accountId: number;
  /** CloudStack's jobinstancetype and jobinstanceid: `VirtualMachine`, `Template`. */
  readonly instanceType: string;
  readonly instanceUuid: string;
}

/** What polling clients see in `jobprogress` while a job runs (own extension, beside CloudStack's fields). */
export interface JobProgress {
  /** host-chosen, transferring, verifying, unpacking, inspecting, committing, committed, waiting-for-transfer,
   * creating-volume, starting, stopping, … */
  readonly phase: string;
  /** 0..100 of the whole job, never falling. */
  readonly percent: number;
  readonly message?: string;
  readonly hostname?: string;
  readonly poolname?: string;
  /** Redacted source that bytes come from just now. */
  readonly url?: string;
  /** How many sources there are to try. */
  readonly sourcecount?: number;
  readonly bytes?: number;
  readonly totalbytes?: number;
  readonly bytespersecond?: number;
  readonly etaseconds?: number;
  /** Milliseconds spent per phase so far. */
  readonly phasems?: Readonly<Record<string, number>>;
}

export interface JobQueue {
  /** Writes the job's row and hands it to the carrier in the caller's transaction. @returns the job's UUID */
  enqueue<C extends JobCommand>(executor: Executor, request: JobRequest<C>): Promise<string>;
}
