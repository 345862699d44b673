import { type FieldSpecs, field, jobFields } from '../fields.ts';

/** Characters of Base64: the length that CloudStack's `listApis` gives. */
export const userDataLength = 1_048_576;

/** Stored user data: names and types as CloudStack's `listApis` has them. */
export const userDataFields = {
  id: field.string('the ID of the user data'),
  name: field.string('the name of the user data'),
  userdata: field.string('the user data, Base64'),
  params: field.string('the names of its variables, with commas between them'),
  account: field.string('the account that owns the user data'),
  accountid: field.string('the ID of the account that owns the user data'),
  domain: field.string('the domain of the user data'),
  domainid: field.string('the ID of the domain of the user data'),
  hasannotations: field.boolean('whether there are annotations'),
  project: field.string('the project of the user data'),
  projectid: field.string('the ID of the project of the user data'),
  ...jobFields,
} as const satisfies FieldSpecs;
