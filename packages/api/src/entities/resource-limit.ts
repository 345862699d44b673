import { type FieldSpecs, field, jobFields } from '../fields.ts';

export const resourceLimitFields = {
  account: field.string('the account of the limit'),
  domain: field.string('the domain of the limit'),
  domainid: field.string('the ID of the domain of the limit'),
  max: field.long('how many there may be; -1: no limit'),
  project: field.string('the project of the limit'),
  projectid: field.string('the ID of the project of the limit'),
  resourcetype: field.string('the number of the type'),
  resourcetypename: field.string('the name of the type'),
  ...jobFields,
} as const satisfies FieldSpecs;

export const resourceCountFields = {
  account: field.string('the account that has so many'),
  domain: field.string('the domain'),
  domainid: field.string('the ID of the domain'),
  project: field.string('the project'),
  projectid: field.string('the ID of the project'),
  resourcecount: field.long('how many there are'),
  resourcetype: field.string('the number of the type'),
  resourcetypename: field.string('the name of the type'),
  ...jobFields,
} as const satisfies FieldSpecs;
