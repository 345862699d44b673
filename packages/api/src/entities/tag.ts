import { type FieldSpecs, field } from '../fields.ts';

export const tagFields = {
  account: field.string('the account that owns the tag'),
  customer: field.string('the customer the tag belongs to'),
  domain: field.string('the domain of the tag'),
  domainid: field.string('the ID of the domain of the tag'),
  key: field.string('the key of the tag'),
  project: field.string('the project of the tag'),
  projectid: field.string('the ID of the project of the tag'),
  resourceid: field.string('the ID of the resource'),
  resourcetype: field.string('the type of the resource'),
  value: field.string('the value'),
} as const satisfies FieldSpecs;
