import type {
  accountFields,
  asyncJobFields,
  configurationFields,
  diskOfferingFields,
  domainFields,
  EntityOf,
  eventFields,
  hostFields,
  networkFields,
  osTypeFields,
  podFields,
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
