import { type FieldSpecs, field, jobFields } from '../fields.ts';

/** OS type: names and types as CloudStack's `listApis` has them. */
export const osTypeFields = {
  id: field.string('the ID of the OS type'),
  name: field.string('the name of the OS type'),
  description: field.string('the description of the OS type'),
  fordisplay: field.boolean('whether user interfaces show it'),
  isuserdefined: field.boolean('whether an operator added it'),
  oscategoryid: field.string('the ID of the OS category'),
  oscategoryname: field.string('the name of the OS category'),
  ...jobFields,
} as const satisfies FieldSpecs;

export const osCategoryFields = {
  id: field.string('the ID of the OS category'),
  name: field.string('the name of the OS category'),
  ...jobFields,
} as const satisfies FieldSpecs;

export const hypervisorFields = {
  name: field.string('the name of the hypervisor'),
  ...jobFields,
} as const satisfies FieldSpecs;
