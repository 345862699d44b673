import { type FieldSpecs, field, jobFields } from '../fields.ts';

/** Role: names and types as CloudStack's `listApis` has them. */
export const roleFields = {
  id: field.string('the ID of the role'),
  name: field.string('the name of the role'),
  type: field.string('Admin, DomainAdmin or User: what its rules are bounded by'),
  description: field.string('what the role is for'),
  isdefault: field.boolean('whether it came with the cloud and cannot be changed'),
  ...jobFields,
} as const satisfies FieldSpecs;

/** One rule of a role. */
export const rolePermissionFields = {
  id: field.string('the ID of the rule'),
  roleid: field.string('the ID of the role'),
  rolename: field.string('the name of the role'),
  rule: field.string('the command, or the beginning of its name and *'),
  permission: field.string('allow or deny'),
  description: field.string('what the rule is for'),
  ...jobFields,
} as const satisfies FieldSpecs;
