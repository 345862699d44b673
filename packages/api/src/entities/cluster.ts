import { type FieldSpecs, field, jobFields } from '../fields.ts';
import { capacityFields } from './capacity.ts';

/** Cluster: names and types as CloudStack's `listApis` has them. */
export const clusterFields = {
  id: field.string('the ID of the cluster'),
  name: field.string('the name of the cluster'),
  allocationstate: field.string('whether new instances may be placed here: Enabled or Disabled'),
  arch: field.string('the CPU architecture'),
  capacity: field.rows('the capacity of the cluster', capacityFields),
  clustertype: field.string('the type of the cluster'),
  cpuovercommitratio: field.string('the overcommit ratio of CPU'),
  location: field.string('own extension: where it is, for choosing near sources'),
  hasannotations: field.boolean('whether there are annotations'),
  hypervisortype: field.string('the hypervisor'),
  managedstate: field.string('whether the cluster is managed'),
  memoryovercommitratio: field.string('the overcommit ratio of memory'),
  ovm3vip: field.string('an address of another hypervisor'),
  podid: field.string('the ID of the pod'),
  podname: field.string('the name of the pod'),
  resourcedetails: field.map('key and value details'),
  zoneid: field.string('the ID of the zone'),
  zonename: field.string('the name of the zone'),
  ...jobFields,
} as const satisfies FieldSpecs;
