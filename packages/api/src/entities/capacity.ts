import { type FieldSpecs, field } from '../fields.ts';

export const capacityFields = {
  capacityallocated: field.long('how much is allocated'),
  capacitytotal: field.long('how much there is'),
  capacityused: field.long('how much is used'),
  clusterid: field.string('the ID of the cluster'),
  clustername: field.string('the name of the cluster'),
  name: field.string('the name of the capacity'),
  percentused: field.string('how much is used, percent'),
  podid: field.string('the ID of the pod'),
  podname: field.string('the name of the pod'),
  type: field.integer('the type of the capacity'),
  zoneid: field.string('the ID of the zone'),
  zonename: field.string('the name of the zone'),
} as const satisfies FieldSpecs;
