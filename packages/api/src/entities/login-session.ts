import { type FieldSpecs, field, jobFields } from '../fields.ts';

/** Login: names and types as CloudStack's `listApis` has them. */
export const loginFields = {
  account: field.string('the account that owns the login'),
  domainid: field.string('the ID of the domain of the login'),
  firstname: field.string('the first name of the user'),
  is2faenabled: field.string('whether two-factor authentication is on'),
  is2faverified: field.string('whether the second factor was verified'),
  issuerfor2fa: field.string('the issuer of the second factor'),
  lastname: field.string('the last name of the user'),
  providerfor2fa: field.string('the provider of the second factor'),
  registered: field.string('whether the user came by registration'),
  sessionkey: field.string('the key to send with each call of the session'),
  timeout: field.integer('seconds without a call after which the session ends'),
  timezone: field.string('the time zone of the user'),
  timezoneoffset: field.string('the offset of the time zone, hours'),
  type: field.string('the type of the login'),
  userid: field.string('the ID of the user'),
  username: field.string('the name of the user'),
  ...jobFields,
} as const satisfies FieldSpecs;
