import { type FieldSpecs, field, jobFields } from '../fields.ts';

export const templatePermissionFields = {
  id: field.string('the ID of the template or ISO'),
  ispublic: field.boolean('whether everybody may use it'),
  domainid: field.string('the ID of the domain of its owner'),
  account: field.list('the accounts it is shared with'),
  projectids: field.list('the projects it is shared with'),
  ...jobFields,
} as const satisfies FieldSpecs;
