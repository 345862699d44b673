import { type FieldSpecs, field, jobFields } from '../fields.ts';
import { capacityFields } from './capacity.ts';

export const ipRangeFields = {
  cidr: field.string('the CIDR'),
  endip: field.string('the last address of the range'),
  forsystemvms: field.string('whether addresses are for system instances'),
  gateway: field.string('the gateway'),
  startip: field.string('the first address of the range'),
  vlanid: field.string('the VLAN'),
} as const satisfies FieldSpecs;

/** Pod: names and types as CloudStack's `listApis` has them. */
export const podFields = {
  id: field.string('the ID of the pod'),
  name: field.string('the name of the pod'),
  allocationstate: field.string('whether new instances may be placed here: Enabled or Disabled'),
  capacity: field.rows('the capacity of the pod', capacityFields),
  endip: field.list('the last address of the range'),
  forsystemvms: field.list('whether addresses are for system instances'),
  gateway: field.string('the gateway'),
  location: field.string('own extension: where it is, for choosing near sources'),
  hasannotations: field.boolean('whether there are annotations'),
  ipranges: field.rows('the address ranges of the pod', ipRangeFields),
  netmask: field.string('the netmask'),
  startip: field.list('the first address of the range'),
  vlanid: field.list('the VLAN'),
  zoneid: field.string('the ID of the zone'),
  zonename: field.string('the name of the zone'),
  ...jobFields,
} as const satisfies FieldSpecs;
