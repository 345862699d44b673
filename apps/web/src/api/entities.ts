import type {
  accountFields,
  alertFields,
  asyncJobFields,
  capacityFields,
  clusterFields,
  configurationFields,
  diskOfferingFields,
  domainFields,
  EntityOf,
  eventFields,
  hostFields,
  imageStoreFields,
  listedTrafficTypeFields,
  networkFields,
  networkOfferingFields,
  osTypeFields,
  physicalNetworkFields,
  podFields,
  resourceCountFields,
  resourceLimitFields,
  roleFields,
  rolePermissionFields,
  serviceOfferingFields,
  specs,
  sshKeyPairFields,
  storagePoolFields,
  templateFields,
  templateProbeFields,
  userFields,
  virtualMachineFields,
  volumeFields,
  zoneFields,
} from '@millrace/api';

/** What the server answers with, as its tables of fields have it. */
export type AsyncJob = EntityOf<typeof asyncJobFields>;
export type Configuration = EntityOf<typeof configurationFields>;
export type ApiEvent = EntityOf<typeof eventFields>;
export type DiskOffering = EntityOf<typeof diskOfferingFields>;
export type Certificate = EntityOf<(typeof specs.listTemplateDirectDownloadCertificates)['response']>;
export type Pod = EntityOf<typeof podFields>;
export type SshKeyPair = EntityOf<typeof sshKeyPairFields>;
export type Host = EntityOf<typeof hostFields>;
export type Network = EntityOf<typeof networkFields>;
export type OsType = EntityOf<typeof osTypeFields>;
export type ServiceOffering = EntityOf<typeof serviceOfferingFields>;
export type StoragePool = EntityOf<typeof storagePoolFields>;
export type Template = EntityOf<typeof templateFields>;
export type TemplateProbe = EntityOf<typeof templateProbeFields>;
export type VirtualMachine = EntityOf<typeof virtualMachineFields>;
export type Volume = EntityOf<typeof volumeFields>;
export type Zone = EntityOf<typeof zoneFields>;
export type Account = EntityOf<typeof accountFields>;
export type Domain = EntityOf<typeof domainFields>;
export type Role = EntityOf<typeof roleFields>;
export type RolePermission = EntityOf<typeof rolePermissionFields>;
export type User = EntityOf<typeof userFields>;
export type Alert = EntityOf<typeof alertFields>;
export type Capacity = EntityOf<typeof capacityFields>;
export type Cluster = EntityOf<typeof clusterFields>;
export type ImageStore = EntityOf<typeof imageStoreFields>;
export type NetworkOffering = EntityOf<typeof networkOfferingFields>;
export type PhysicalNetwork = EntityOf<typeof physicalNetworkFields>;
export type TrafficType = EntityOf<typeof listedTrafficTypeFields>;
export type ResourceCount = EntityOf<typeof resourceCountFields>;
export type ResourceLimit = EntityOf<typeof resourceLimitFields>;
