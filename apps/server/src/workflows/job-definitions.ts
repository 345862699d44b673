import type { JobDefinitions } from '../jobs/job-runner.ts';
import type { JobQueue } from '../jobs/queue.ts';
import { attachIso, detachIso } from './cdrom.ts';
import { attachVolume, createVolume, detachVolume, resizeVolume } from './data-disks.ts';
import { deleteIso, deleteTemplate } from './delete-template.ts';
import { deployVirtualMachine } from './deploy-virtual-machine.ts';
import { destroyVirtualMachine, expungeVirtualMachine } from './destroy-virtual-machine.ts';
import { doneJobs } from './done-jobs.ts';
import { evictTemplate } from './evict-template.ts';
import { extractImage } from './extract-image.ts';
import { answerWithHost, prepareHostForMaintenance, reconnectHost } from './host-maintenance.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { migrateVirtualMachine } from './migrate-virtual-machine.ts';
import { networkJobs } from './network-jobs.ts';
import { rebootVirtualMachine, startVirtualMachine, stopVirtualMachine } from './power-virtual-machine.ts';
import { prepareTemplate } from './prepare-template.ts';
import { recoverLostHost } from './recover-lost-host.ts';
import { resetPasswordForVirtualMachine, resetSSHKeyForVirtualMachine } from './reset-guest-access.ts';
import { restoreVirtualMachine } from './restore-virtual-machine.ts';
import { cancelStorageMaintenance, enableStorageMaintenance } from './storage-maintenance.ts';
import { verifyTemplate } from './verify-template.ts';

/** What each command's job does. */
export function jobDefinitions(deps: WorkflowDeps & { readonly queue: () => JobQueue }): JobDefinitions {
  return {
    deployVirtualMachine: deployVirtualMachine(deps),
    startVirtualMachine: startVirtualMachine(deps),
    stopVirtualMachine: stopVirtualMachine(deps),
    rebootVirtualMachine: rebootVirtualMachine(deps),
    destroyVirtualMachine: destroyVirtualMachine(deps),
    expungeVirtualMachine: expungeVirtualMachine(deps),
    restoreVirtualMachine: restoreVirtualMachine(deps),
    deleteTemplate: deleteTemplate(deps),
    createVolume: createVolume(deps),
    attachVolume: attachVolume(deps),
    detachVolume: detachVolume(deps),
    resizeVolume: resizeVolume(deps),
    migrateVirtualMachine: migrateVirtualMachine(deps),
    prepareHostForMaintenance: prepareHostForMaintenance(deps),
    cancelHostMaintenance: answerWithHost(),
    declareHostAsDegraded: answerWithHost(),
    cancelHostAsDegraded: answerWithHost(),
    recoverLostHost: recoverLostHost(deps),
    reconnectHost: reconnectHost(deps),
    enableStorageMaintenance: enableStorageMaintenance(deps),
    cancelStorageMaintenance: cancelStorageMaintenance(deps),
    deleteIso: deleteIso(deps),
    resetPasswordForVirtualMachine: resetPasswordForVirtualMachine(),
    resetSSHKeyForVirtualMachine: resetSSHKeyForVirtualMachine(),
    attachIso: attachIso(deps),
    detachIso: detachIso(deps),
    prepareTemplate: prepareTemplate(deps),
    evictTemplate: evictTemplate(deps),
    verifyTemplate: verifyTemplate(deps),
    extractTemplate: extractImage(deps),
    extractIso: extractImage(deps),
    ...networkJobs(deps),
    ...doneJobs(),
  };
}
