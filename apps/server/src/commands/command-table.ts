import {
  createAccount,
  deleteAccount,
  disableAccount,
  enableAccount,
  listAccounts,
  lockAccount,
  updateAccount,
} from './accounts.ts';
import { addHost } from './add-host.ts';
import { attachIso } from './attach-iso.ts';
import {
  listTemplateDirectDownloadCertificates,
  provisionTemplateDirectDownloadCertificate,
  revokeTemplateDirectDownloadCertificate,
  uploadTemplateDirectDownloadCertificate,
} from './certificates.ts';
import { changeServiceForVirtualMachine, scaleVirtualMachine } from './change-service-for-virtual-machine.ts';
import type { Command } from './command.ts';
import { copyTemplate } from './copy-template.ts';
import { createConsoleEndpoint } from './create-console-endpoint.ts';
import { createSSHKeyPair } from './create-ssh-key-pair.ts';
import { createStoragePool } from './create-storage-pool.ts';
import { attachVolume, createVolume, deleteVolume, detachVolume, resizeVolume } from './data-volumes.ts';
import { deleteHost } from './delete-host.ts';
import { deleteIso } from './delete-iso.ts';
import { deleteSSHKeyPair } from './delete-ssh-key-pair.ts';
import { deleteStoragePool } from './delete-storage-pool.ts';
import { deleteTemplate } from './delete-template.ts';
import { deleteUserData } from './delete-user-data.ts';
import { deployVirtualMachine } from './deploy-virtual-machine.ts';
import { destroyVirtualMachine } from './destroy-virtual-machine.ts';
import { detachIso } from './detach-iso.ts';
import {
  createDiskOffering,
  deleteDiskOffering,
  listDiskOfferings,
  updateDiskOffering,
} from './disk-offerings.ts';
import { createDomain, deleteDomain, listDomainChildren, listDomains, updateDomain } from './domains.ts';
import { archiveAlerts, archiveEvents, deleteAlerts, deleteEvents } from './end-events.ts';
import { evictTemplate } from './evict-template.ts';
import { expungeVirtualMachine } from './expunge-virtual-machine.ts';
import { extractIso, extractTemplate } from './extract-image.ts';
import { getUser } from './get-user.ts';
import { getUserKeys } from './get-user-keys.ts';
import { getVirtualMachineConsoleOutput } from './get-virtual-machine-console-output.ts';
import { getVMPassword } from './get-vm-password.ts';
import { cancelHostAsDegraded, declareHostAsDegraded } from './host-degraded.ts';
import { cancelHostMaintenance, prepareHostForMaintenance, reconnectHost } from './host-maintenance.ts';
import {
  listIsoPermissions,
  listTemplatePermissions,
  updateIsoPermissions,
  updateTemplatePermissions,
} from './image-permissions.ts';
import {
  addImageStore,
  deleteImageStore,
  listImageStores,
  listSystemVms,
  updateImageStore,
} from './image-stores.ts';
import { linkUserDataToTemplate } from './link-user-data-to-template.ts';
import { listAlerts, listEventTypes } from './list-alerts.ts';
import { listApis } from './list-apis.ts';
import { listAsyncJobs } from './list-async-jobs.ts';
import { listCapabilities } from './list-capabilities.ts';
import { listCapacity } from './list-capacity.ts';
import { listClusters } from './list-clusters.ts';
import { listConfigurations } from './list-configurations.ts';
import { listEvents } from './list-events.ts';
import { listHosts } from './list-hosts.ts';
import { listIsos } from './list-isos.ts';
import { listNetworks } from './list-networks.ts';
import { listHypervisors, listOsCategories } from './list-os-categories.ts';
import { listOsTypes } from './list-os-types.ts';
import { listPods } from './list-pods.ts';
import { listServiceOfferings } from './list-service-offerings.ts';
import { listSSHKeyPairs } from './list-ssh-key-pairs.ts';
import { listStoragePools } from './list-storage-pools.ts';
import { listHostTags, listStorageTags } from './list-tags-of-infrastructure.ts';
import { listTemplates } from './list-templates.ts';
import { listUserData } from './list-user-data.ts';
import { listUsers } from './list-users.ts';
import { listVirtualMachines } from './list-virtual-machines.ts';
import { listVolumes } from './list-volumes.ts';
import {
  listIpForwardingRules,
  listPortForwardingRules,
  listProjects,
  listPublicIpAddresses,
  listRegions,
  listSecurityGroups,
} from './list-what-there-is-none-of.ts';
import { listZones } from './list-zones.ts';
import { migrateVirtualMachine } from './migrate-virtual-machine.ts';
import {
  createNetworkOffering,
  deleteNetworkOffering,
  listNetworkOfferings,
  updateNetworkOffering,
} from './network-offerings.ts';
import { createNetwork, deleteNetwork, updateNetwork } from './networks.ts';
import {
  addTrafficType,
  createPhysicalNetwork,
  deletePhysicalNetwork,
  listNetworkServiceProviders,
  listPhysicalNetworks,
  listSupportedNetworkServices,
  listTrafficTypes,
  updatePhysicalNetwork,
} from './physical-networks.ts';
import {
  addCluster,
  createPod,
  createZone,
  deleteCluster,
  deletePod,
  deleteZone,
  updateCluster,
  updatePod,
  updateZone,
} from './places.ts';
import { prepareTemplate } from './prepare-template.ts';
import { probeTemplate } from './probe-template.ts';
import { queryAsyncJobResult } from './query-async-job-result.ts';
import { rebootVirtualMachine } from './reboot-virtual-machine.ts';
import { recoverVirtualMachine } from './recover-virtual-machine.ts';
import { registerIso } from './register-iso.ts';
import { registerSSHKeyPair } from './register-ssh-key-pair.ts';
import { registerTemplate } from './register-template.ts';
import { registerUserData } from './register-user-data.ts';
import { registerUserKeys } from './register-user-keys.ts';
import { resetPasswordForVirtualMachine } from './reset-password-for-virtual-machine.ts';
import { resetSSHKeyForVirtualMachine } from './reset-ssh-key-for-virtual-machine.ts';
import { listResourceLimits, updateResourceCount, updateResourceLimit } from './resource-limits.ts';
import { restoreVirtualMachine } from './restore-virtual-machine.ts';
import {
  createRole,
  createRolePermission,
  deleteRole,
  deleteRolePermission,
  listRolePermissions,
  listRoles,
  updateRole,
  updateRolePermission,
} from './roles.ts';
import { createServiceOffering, deleteServiceOffering, updateServiceOffering } from './service-offerings.ts';
import { startVirtualMachine } from './start-virtual-machine.ts';
import { stopVirtualMachine } from './stop-virtual-machine.ts';
import { cancelStorageMaintenance, enableStorageMaintenance } from './storage-maintenance.ts';
import { createTags, deleteTags, listTags } from './tags.ts';
import { resetConfiguration, updateConfiguration } from './update-configuration.ts';
import { updateHost } from './update-host.ts';
import { updateNetworkServiceProvider } from './update-network-service-provider.ts';
import { updateStoragePool } from './update-storage-pool.ts';
import { updateIso, updateTemplate } from './update-template.ts';
import { updateVirtualMachine } from './update-virtual-machine.ts';
import { createUser, deleteUser, disableUser, enableUser, lockUser, updateUser } from './users.ts';
import { verifyTemplate } from './verify-template.ts';
import { createVlanIpRange, deleteVlanIpRange, listVlanIpRanges } from './vlan-ip-ranges.ts';

/** Every command but login and logout, which are about the HTTP session and live with it. */
export const commandTable: readonly Command[] = [
  addHost,
  attachIso,
  attachVolume,
  createDiskOffering,
  createVolume,
  deleteDiskOffering,
  deleteVolume,
  detachVolume,
  listDiskOfferings,
  resizeVolume,
  cancelHostAsDegraded,
  cancelHostMaintenance,
  declareHostAsDegraded,
  reconnectHost,
  createSSHKeyPair,
  createStoragePool,
  deleteHost,
  deleteIso,
  deleteSSHKeyPair,
  deleteStoragePool,
  deleteTemplate,
  deleteUserData,
  deployVirtualMachine,
  destroyVirtualMachine,
  detachIso,
  expungeVirtualMachine,
  getUser,
  getUserKeys,
  getVMPassword,
  createAccount,
  deleteAccount,
  disableAccount,
  enableAccount,
  listAccounts,
  lockAccount,
  updateAccount,
  createDomain,
  deleteDomain,
  createNetwork,
  deleteNetwork,
  updateNetwork,
  createNetworkOffering,
  deleteNetworkOffering,
  listNetworkOfferings,
  updateNetworkOffering,
  addTrafficType,
  createPhysicalNetwork,
  deletePhysicalNetwork,
  listNetworkServiceProviders,
  listPhysicalNetworks,
  listSupportedNetworkServices,
  listTrafficTypes,
  updateNetworkServiceProvider,
  updatePhysicalNetwork,
  createVlanIpRange,
  deleteVlanIpRange,
  listVlanIpRanges,
  addCluster,
  createPod,
  createZone,
  deleteCluster,
  deletePod,
  deleteZone,
  updateCluster,
  updatePod,
  updateZone,
  listCapacity,
  listAlerts,
  listEventTypes,
  archiveAlerts,
  archiveEvents,
  deleteAlerts,
  deleteEvents,
  updateResourceCount,
  listResourceLimits,
  updateResourceLimit,
  cancelStorageMaintenance,
  enableStorageMaintenance,
  listHostTags,
  listStorageTags,
  listImageStores,
  addImageStore,
  updateImageStore,
  deleteImageStore,
  extractTemplate,
  extractIso,
  listProjects,
  listRegions,
  listIpForwardingRules,
  listPortForwardingRules,
  listPublicIpAddresses,
  listSecurityGroups,
  listSystemVms,
  resetConfiguration,
  changeServiceForVirtualMachine,
  scaleVirtualMachine,
  copyTemplate,
  listIsoPermissions,
  listTemplatePermissions,
  updateIsoPermissions,
  updateTemplatePermissions,
  listHypervisors,
  listOsCategories,
  createTags,
  deleteTags,
  listTags,
  updateIso,
  updateTemplate,
  updateDiskOffering,
  listDomainChildren,
  listDomains,
  updateDomain,
  createRole,
  createRolePermission,
  deleteRole,
  deleteRolePermission,
  listRolePermissions,
  listRoles,
  updateRole,
  updateRolePermission,
  createUser,
  deleteUser,
  disableUser,
  enableUser,
  lockUser,
  updateUser,
  getVirtualMachineConsoleOutput,
  createServiceOffering,
  updateServiceOffering,
  deleteServiceOffering,
  createConsoleEndpoint,
  linkUserDataToTemplate,
  listApis,
  listAsyncJobs,
  listCapabilities,
  listClusters,
  listConfigurations,
  listEvents,
  listHosts,
  listIsos,
  listNetworks,
  listOsTypes,
  listPods,
  listSSHKeyPairs,
  listServiceOfferings,
  listStoragePools,
  listTemplateDirectDownloadCertificates,
  listTemplates,
  listUserData,
  listUsers,
  listVirtualMachines,
  listVolumes,
  listZones,
  migrateVirtualMachine,
  prepareHostForMaintenance,
  prepareTemplate,
  evictTemplate,
  verifyTemplate,
  probeTemplate,
  provisionTemplateDirectDownloadCertificate,
  queryAsyncJobResult,
  rebootVirtualMachine,
  recoverVirtualMachine,
  registerIso,
  registerSSHKeyPair,
  registerTemplate,
  registerUserData,
  registerUserKeys,
  resetPasswordForVirtualMachine,
  resetSSHKeyForVirtualMachine,
  restoreVirtualMachine,
  revokeTemplateDirectDownloadCertificate,
  startVirtualMachine,
  stopVirtualMachine,
  updateConfiguration,
  updateHost,
  updateStoragePool,
  updateVirtualMachine,
  uploadTemplateDirectDownloadCertificate,
];
