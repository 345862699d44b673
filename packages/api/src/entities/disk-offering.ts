import { type FieldSpecs, field, jobFields } from '../fields.ts';

/** Disk offering: names and types as CloudStack's `listApis` has them, as far as there is anything to tell. */
export const diskOfferingFields = {
  id: field.string('the ID of the disk offering'),
  name: field.string('the name of the disk offering'),
  displaytext: field.string('the description of the disk offering'),
  disksize: field.long('the size, GB; 0 when whoever makes a disk says it'),
  iscustomized: field.boolean('whether whoever makes a disk says its size'),
  iscustomizediops: field.boolean('whether whoever makes a disk says its IOPS'),
  created: field.date('when the disk offering was created'),
  storagetype: field.string('local or shared'),
  provisioningtype: field.string('thin, sparse or fat'),
  cacheMode: field.string('how writes are cached'),
  displayoffering: field.boolean('whether the disk offering is shown to users'),
  disksizestrictness: field.boolean('whether disks of it keep their size'),
  encrypt: field.boolean('whether disks of it are encrypted'),
  hasannotations: field.boolean('whether there are annotations'),
  ...jobFields,
} as const satisfies FieldSpecs;
